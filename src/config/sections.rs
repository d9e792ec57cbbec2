//! The sections that say how the server listens, holds its clients and writes to them.
//!
//! Every field has a default that makes the first run on loopback work. Durations are plain numbers in the unit that
//! the comment names, as the file has them; the methods give them as [`Duration`].

use std::{path::PathBuf, time::Duration};

use serde::{Deserialize, Serialize};

use super::{origins, seconds::seconds};

/// `[server]`: the listener and the life of one connection.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Server {
    /// The address to listen on; loopback, so that a first run is reachable by nobody else.
    pub host: String,
    /// The port, the one that existing front-ends expect; 0 lets the system choose (tests).
    pub port: u16,
    /// Which web pages may connect; `*` is any.
    #[serde(deserialize_with = "origins::one_or_many")]
    pub cors_allowed_origins: Vec<String>,
    /// Seconds to wait for the answer to a ping before a client counts as gone.
    pub ping_timeout: f64,
    /// Seconds between two pings, which also keep proxies from closing a quiet connection.
    pub ping_interval: f64,
    /// Bytes of one message from a client, so that nobody can fill the memory with one frame.
    pub max_http_buffer_size: usize,
    /// Seconds that a client may read nothing while bytes wait for it; then it is disconnected.
    pub stall_timeout: f64,
    /// Seconds that a stop may take to tell the clients and write what is due.
    pub shutdown_timeout: f64,
    /// Bytes that may wait for one client before it counts as too slow.
    pub max_client_buffer: usize,
    /// Seconds for which something may wait for a client without end before it counts as too slow: a stream that stays
    /// below the bound in bytes would otherwise be read minutes late.
    pub max_client_delay: f64,
    /// Seconds for a request's headers to arrive, against clients that send them one byte at a time.
    pub header_timeout: f64,
    /// Seconds for a session to join a namespace, so that half-open sessions cost nothing for long.
    pub connect_timeout: f64,
    /// Seconds that a producer has to answer an `agent_action`; then the operator is told `timeout`.
    pub action_timeout: f64,
    /// The folder of the built demo page, served at `/`; without it `/` says how to build it.
    pub web_root: PathBuf,
}

impl Default for Server {
    fn default() -> Self {
        Self {
            host: "127.0.0.1".to_owned(),
            port: 8000,
            cors_allowed_origins: vec!["*".to_owned()],
            ping_timeout: 60.0,
            ping_interval: 25.0,
            max_http_buffer_size: 1_000_000,
            stall_timeout: 20.0,
            shutdown_timeout: 10.0,
            max_client_buffer: 1_048_576,
            max_client_delay: 5.0,
            header_timeout: 10.0,
            connect_timeout: 10.0,
            action_timeout: 5.0,
            web_root: PathBuf::from("web-demo/dist"),
        }
    }
}

impl Server {
    /// See [`ping_timeout`](field@Self::ping_timeout).
    pub fn ping_timeout(&self) -> Duration {
        seconds(self.ping_timeout)
    }

    /// See [`ping_interval`](field@Self::ping_interval).
    pub fn ping_interval(&self) -> Duration {
        seconds(self.ping_interval)
    }

    /// See [`stall_timeout`](field@Self::stall_timeout).
    pub fn stall_timeout(&self) -> Duration {
        seconds(self.stall_timeout)
    }

    /// See [`max_client_delay`](field@Self::max_client_delay).
    pub fn max_client_delay(&self) -> Duration {
        seconds(self.max_client_delay)
    }

    /// See [`shutdown_timeout`](field@Self::shutdown_timeout).
    pub fn shutdown_timeout(&self) -> Duration {
        seconds(self.shutdown_timeout)
    }

    /// See [`header_timeout`](field@Self::header_timeout).
    pub fn header_timeout(&self) -> Duration {
        seconds(self.header_timeout)
    }

    /// See [`connect_timeout`](field@Self::connect_timeout).
    pub fn connect_timeout(&self) -> Duration {
        seconds(self.connect_timeout)
    }

    /// See [`action_timeout`](field@Self::action_timeout).
    pub fn action_timeout(&self) -> Duration {
        seconds(self.action_timeout)
    }

    /// Whether only this machine can reach the server.
    pub fn is_loopback(&self) -> bool {
        let host = self.host.trim_start_matches('[').trim_end_matches(']');
        host == "localhost"
            || host
                .parse::<std::net::IpAddr>()
                .is_ok_and(|ip| ip.is_loopback())
    }
}

/// `[rooms]`: named sets of observers.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Rooms {
    /// The room in which every client is from the start.
    pub default_room: String,
    /// Members of one room that is joined by request, so that a room's cost has a bound; the rooms that everybody is put in have none.
    pub max_room_size: usize,
    /// Rooms that one client may have joined by request, so that no client can fill the memory with rooms.
    pub max_rooms_per_client: usize,
    /// Seconds between two sweeps of empty rooms. Stoa forgets a room with its last member; the key is taken so that a file made for the seeds' server is.
    pub room_cleanup_interval: f64,
}

impl Default for Rooms {
    fn default() -> Self {
        Self {
            default_room: "general".to_owned(),
            max_room_size: 1000,
            max_rooms_per_client: 100,
            room_cleanup_interval: 300.0,
        }
    }
}

/// `[performance]`: what is traded between speed, memory and bytes on the wire.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Performance {
    /// Packets that may wait for a client that polls before it counts as too slow.
    pub message_queue_size: usize,
    /// Whether clients that ask for `batch` get one message for each flush.
    pub batch_messages: bool,
    /// Whether HTTP answers and the page are compressed (gzip).
    pub compression: bool,
    /// Seconds between two signs of life on a stream of server-sent events.
    pub heartbeat_interval: f64,
    /// Events in one `publish` or one `POST`, so that one producer cannot hold up the others.
    pub max_publish_batch: usize,
    /// Events that may be kept but not yet sent before producers wait, and after 10 s are told `overloaded`.
    pub max_lag: usize,
    /// Updates in one flush: under load more of them means fewer writes, fewer means sooner.
    pub flush_max: usize,
    /// Projects, agents, tasks and runs that the state remembers; the longest untouched go first.
    pub max_entities: usize,
}

impl Performance {
    /// See [`heartbeat_interval`](field@Self::heartbeat_interval).
    pub fn heartbeat_interval(&self) -> Duration {
        seconds(self.heartbeat_interval)
    }
}

impl Default for Performance {
    fn default() -> Self {
        Self {
            message_queue_size: 1000,
            batch_messages: true,
            compression: true,
            heartbeat_interval: 30.0,
            max_publish_batch: 1000,
            max_lag: 16_384,
            flush_max: 256,
            max_entities: 10_000,
        }
    }
}

/// `[cluster]`: several servers as one.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Cluster {
    /// This server's name among others, written in its log; empty for a server on its own.
    pub node_id: String,
}

/// `[demo]`: the invented team at work.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Demo {
    /// Whether it works; the same as `--demo`.
    pub enabled: bool,
    /// How fast: 2.0 is twice as fast.
    pub speed: f64,
    /// Which story is told; the same number tells the same one.
    pub seed: u64,
}

impl Default for Demo {
    fn default() -> Self {
        Self {
            enabled: false,
            speed: 1.0,
            seed: 7,
        }
    }
}

/// `[log]`: what the server says about itself on stdout.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Log {
    /// A level, or directives such as `info,stoa::net=debug`.
    pub level: String,
    /// For people or for programs.
    pub format: LogFormat,
}

impl Default for Log {
    fn default() -> Self {
        Self {
            level: "info".to_owned(),
            format: LogFormat::Text,
        }
    }
}

/// How a line of the log is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// A line to read.
    Text,
    /// One JSON object on each line.
    Json,
}
