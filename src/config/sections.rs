//! The sections that say how the server holds its clients and writes to them.
//!
//! Every field has a default that makes the first run on loopback work. Durations are plain numbers in the unit that
//! the comment names, as the file has them; the methods give them as durations.

use serde::{Deserialize, Serialize};

use super::numbers::{Count, durations, positive};

/// `[rooms]`: named sets of observers.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Rooms {
    /// The room in which every client is from the start.
    pub default_room: String,
    /// Members of one room that is joined by request, so that a room's cost has a bound; the rooms that everybody is put in have none.
    #[serde(deserialize_with = "Count::<1, { 1 << 24 }>::read")]
    pub max_room_size: usize,
    /// Rooms that one client may have joined by request, so that no client can fill the memory with rooms.
    #[serde(deserialize_with = "Count::<1, { 1 << 20 }>::read")]
    pub max_rooms_per_client: usize,
    /// Seconds between two sweeps of empty rooms. Stoa forgets a room with its last member; the key is taken so that a file made for the seeds' server is.
    #[serde(deserialize_with = "positive")]
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
    #[serde(deserialize_with = "Count::<16, { 1 << 20 }>::read")]
    pub message_queue_size: usize,
    /// Whether clients that ask for `batch` get one message for each flush.
    pub batch_messages: bool,
    /// Whether HTTP answers and the page are compressed (gzip).
    pub compression: bool,
    /// Seconds between two signs of life on a stream of server-sent events.
    #[serde(deserialize_with = "positive")]
    pub heartbeat_interval: f64,
    /// Events in one `publish` or one `POST`, so that one producer cannot hold up the others.
    #[serde(deserialize_with = "Count::<1, 100_000>::read")]
    pub max_publish_batch: usize,
    /// Events that may be kept but not yet sent before producers wait, and after 10 s are told `overloaded`.
    #[serde(deserialize_with = "Count::<1, { 1 << 24 }>::read")]
    pub max_lag: usize,
    /// Updates in one flush: under load more of them means fewer writes, fewer means sooner.
    #[serde(deserialize_with = "Count::<1, 50_000>::read")]
    pub flush_max: usize,
    /// Projects, agents, tasks and runs that the state remembers; of the project that has most, the longest untouched go first.
    #[serde(deserialize_with = "Count::<16, { 1 << 24 }>::read")]
    pub max_entities: usize,
    /// Bytes of memory that the state holds; of the project that holds most, the longest untouched entities go first.
    #[serde(deserialize_with = "Count::<{ 1 << 20 }, { 1 << 40 }>::read")]
    pub max_state_bytes: usize,
    /// Bytes of one part of a snapshot: a larger one comes in several, since clients and proxies take no message of any size.
    #[serde(deserialize_with = "Count::<4096, { 1 << 30 }>::read")]
    pub snapshot_part_bytes: usize,
    /// Facts of one entity; further ones are not taken, so that a producer with ever new keys can't grow one without end.
    #[serde(deserialize_with = "Count::<16, 4096>::read")]
    pub max_entity_facts: usize,
}

durations!(Performance { heartbeat_interval });

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
            max_state_bytes: 32 * 1024 * 1024,
            snapshot_part_bytes: 512 * 1024,
            max_entity_facts: 64,
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
