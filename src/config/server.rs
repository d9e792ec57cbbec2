//! `[server]`: how the server listens, whom it lets in, and the bounds on one connection.
//!
//! Every field has a default that makes the first run on loopback work. Durations are plain numbers in the unit that
//! the comment names, as the file has them; the methods give them as [`Duration`].

use std::{path::PathBuf, time::Duration};

use serde::{Deserialize, Serialize};

use super::{networks::Networks, origins, seconds::seconds};

/// `[server]`: the listener and the life of one connection.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Server {
    /// The address to listen on; loopback, so that a first run is reachable by nobody else.
    pub host: String,
    /// The port, the one that existing front-ends expect; 0 lets the system choose (tests).
    pub port: u16,
    /// The web pages that may connect beside the server's own; `loopback` is any page of this machine, `*` any page at all.
    #[serde(deserialize_with = "origins::one_or_many")]
    pub cors_allowed_origins: Vec<String>,
    /// The names by which the server is reached, beside IP addresses and loopback names: a page whose own name was made
    /// to point to this server (DNS rebinding) shows another one.
    #[serde(deserialize_with = "origins::one_or_many")]
    pub hosts: Vec<String>,
    /// Seconds to wait for the answer to a ping before a client counts as gone.
    pub ping_timeout: f64,
    /// Seconds between two pings, which also keep proxies from closing a quiet connection.
    pub ping_interval: f64,
    /// Bytes of one message from a client, so that nobody can fill the memory with one frame.
    pub max_http_buffer_size: usize,
    /// Pieces that one WebSocket message may come in: an empty one costs as much work as a full one.
    pub max_fragments: usize,
    /// CONNECT packets of one WebSocket, which needs one for each namespace: each costs more than it does the client.
    pub max_connects: usize,
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
    /// A folder with a built page, served at `/` instead of the demo page inside the program; empty for that one.
    pub web_root: PathBuf,
    /// Actions that one operator may have asked for and that are not answered yet.
    pub max_actions_in_flight: usize,
    /// Bytes of their parameters together.
    pub max_action_bytes: usize,
    /// Seconds for a request's body, so that nobody holds a request open with one byte at a time.
    pub body_timeout: f64,
    /// Bytes in a second that a streamed body has to keep up, on average over `body_timeout`: a drip is no stream.
    pub body_bytes_per_second: usize,
    /// Bytes that request bodies may hold together while they are read, at the API and as much again at the polling door.
    pub max_body_bytes_in_flight: usize,
    /// The same of one address: whose bodies never end holds up itself.
    pub max_body_bytes_per_address: usize,
    /// Seconds after which a body that is held and comes too slowly to be there in time gives its place to one that waits.
    pub body_patience: f64,
    /// Compressed bodies that are unpacked at a time: each holds some 64 KiB for that.
    pub max_unpacking: usize,
    /// Bytes that one byte of a compressed body may become, beside `max_http_buffer_size`: more is a bomb.
    pub max_unpack_ratio: usize,
    /// Seconds that a connection is kept open for a next request, so that forgotten ones don't fill the table.
    pub idle_timeout: f64,
    /// Connections at a time in all, so that memory and descriptors have a bound.
    pub max_connections: usize,
    /// Connections at a time from one address, so that nobody takes all of them.
    pub max_connections_per_address: usize,
    /// New connections in a second in all; the excess waits with the system, so that a storm of clients that come back is served in order.
    pub connections_per_second: usize,
    /// New connections in a second from one address.
    pub connections_per_second_per_address: usize,
    /// Sessions in all that have joined no namespace yet, so that a flood of handshakes has a bound.
    pub max_pending_sessions: usize,
    /// The same from one address.
    pub max_pending_per_address: usize,
    /// Addresses that are not held to the limits per address: a proxy on the same machine makes all clients one address.
    pub exempt_addresses: Networks,
    /// The proxies whose word on a client's address is taken; nobody else's is, or limits would be for the asking.
    pub trusted_proxies: Networks,
    /// Packets in one polling POST: each costs a turn of the engine, and a body holds tens of thousands.
    pub max_packets_per_post: usize,
    /// Whether a request without an Origin is turned away, where only web pages are to connect.
    pub require_origin: bool,
    /// Whether the server may be reachable from other machines, by an address of its own or through a proxy, although it
    /// asks nobody for a token.
    pub allow_insecure: bool,
}

impl Default for Server {
    fn default() -> Self {
        Self {
            host: "127.0.0.1".to_owned(),
            port: 8000,
            cors_allowed_origins: vec![origins::LOOPBACK.to_owned()],
            hosts: Vec::new(),
            ping_timeout: 60.0,
            ping_interval: 25.0,
            max_http_buffer_size: 1_000_000,
            max_fragments: 4_096,
            max_connects: 100,
            stall_timeout: 20.0,
            shutdown_timeout: 10.0,
            max_client_buffer: 1_048_576,
            max_client_delay: 5.0,
            header_timeout: 10.0,
            connect_timeout: 10.0,
            action_timeout: 5.0,
            max_actions_in_flight: 64,
            max_action_bytes: 2_097_152,
            web_root: PathBuf::new(),
            body_timeout: 30.0,
            body_bytes_per_second: 10,
            max_body_bytes_in_flight: 33_554_432,
            max_body_bytes_per_address: 8_388_608,
            body_patience: 2.0,
            max_unpacking: 256,
            max_unpack_ratio: 100,
            idle_timeout: 75.0,
            max_connections: 50_000,
            max_connections_per_address: 1_000,
            connections_per_second: 5_000,
            connections_per_second_per_address: 100,
            max_pending_sessions: 10_000,
            max_pending_per_address: 500,
            exempt_addresses: Networks::loopback(),
            trusted_proxies: Networks::default(),
            max_packets_per_post: 1_000,
            require_origin: false,
            allow_insecure: false,
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

    /// See [`body_timeout`](field@Self::body_timeout).
    pub fn body_timeout(&self) -> Duration {
        seconds(self.body_timeout)
    }

    /// See [`body_patience`](field@Self::body_patience).
    pub fn body_patience(&self) -> Duration {
        seconds(self.body_patience)
    }

    /// See [`idle_timeout`](field@Self::idle_timeout).
    pub fn idle_timeout(&self) -> Duration {
        seconds(self.idle_timeout)
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
