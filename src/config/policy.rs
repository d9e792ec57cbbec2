//! The sections that say who may do what, what may come in, and what becomes of it.

use std::{path::PathBuf, time::Duration};

use serde::{Deserialize, Serialize};

use super::{
    numbers::{Count, durations, positive, positive_or_none, seconds, window},
    switch::Switch,
};
use crate::config::{Recipients, RuleConfig};

/// `[rate_limiting]`: how much one client may send.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RateLimiting {
    /// Whether the limits below hold.
    pub enabled: Switch,
    /// Messages of one observer in a minute, on one connection and on all of its user's together.
    #[serde(deserialize_with = "Count::<1, { 1 << 30 }>::read")]
    pub messages_per_minute: u32,
    /// Messages that an observer may send at once before the minute's rate counts.
    #[serde(deserialize_with = "Count::<1, { 1 << 30 }>::read")]
    pub burst_limit: u32,
    /// Messages that a connection may send in its first seconds beside all other limits: pages join their rooms then.
    pub opening_messages: u32,
    /// How many seconds these are.
    #[serde(deserialize_with = "positive_or_none")]
    pub opening_seconds: f64,
    /// So many connections of a user make its burst and its rate so many times as large; more don't.
    #[serde(deserialize_with = "Count::<1, { 1 << 10 }>::read")]
    pub burst_connections: u32,
    /// Messages of all observers of one address in a minute: a household or an office shares one.
    #[serde(deserialize_with = "Count::<1, { 1 << 30 }>::read")]
    pub address_messages_per_minute: u32,
    /// Messages of one address at once.
    #[serde(deserialize_with = "Count::<1, { 1 << 30 }>::read")]
    pub address_burst_limit: u32,
    /// Refused messages of one connection after which whoever sends them is kept out.
    #[serde(deserialize_with = "Count::<1, { 1 << 30 }>::read")]
    pub strikes: u32,
    /// Seconds that a client stays out that does not heed the limits.
    #[serde(deserialize_with = "positive")]
    pub ban_duration: f64,
    /// Events of one producer in a second; 0 is without limit, since a producer's events are what the server is for.
    pub producer_events_per_second: u32,
}

durations!(RateLimiting { ban_duration });

impl Default for RateLimiting {
    fn default() -> Self {
        Self {
            enabled: Switch::Auto,
            messages_per_minute: 100,
            burst_limit: 10,
            opening_messages: 32,
            opening_seconds: 10.0,
            burst_connections: 8,
            address_messages_per_minute: 3000,
            address_burst_limit: 300,
            strikes: 50,
            ban_duration: 300.0,
            producer_events_per_second: 0,
        }
    }
}

impl RateLimiting {
    /// See [`opening_seconds`](field@Self::opening_seconds).
    pub fn opening(&self) -> Duration {
        seconds(self.opening_seconds)
    }
}

/// `[content_filtering]`: what an event may look like.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ContentFiltering {
    /// Whether the fields of an event are checked beyond what is needed to read it. What is needed is always checked.
    pub validate_message_format: bool,
    /// Bytes of one event.
    #[serde(deserialize_with = "Count::<256, { 1 << 30 }>::read")]
    pub max_message_size: usize,
    /// To whom texts are sent that are harmless where a page puts them into HTML; what is kept stays as it was said.
    pub sanitize_content: Recipients,
    /// How deep objects and lists of one event may nest.
    #[serde(deserialize_with = "Count::<4, 100>::read")]
    pub max_depth: usize,
    /// Values in all objects and lists of one event together.
    #[serde(deserialize_with = "Count::<16, { 1 << 24 }>::read")]
    pub max_elements: usize,
    /// Bytes of an id by which an event names something: what is known of each thing is kept by it.
    #[serde(deserialize_with = "Count::<64, 4096>::read")]
    pub max_id_length: usize,
}

impl Default for ContentFiltering {
    fn default() -> Self {
        Self {
            validate_message_format: true,
            max_message_size: 64_000,
            sanitize_content: Recipients::Pages,
            max_depth: 32,
            max_elements: 10_000,
            max_id_length: 512,
        }
    }
}

/// `[transform]`: what becomes of an event.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Transform {
    /// Milliseconds within which updates of the same key become one.
    #[serde(deserialize_with = "window")]
    pub throttle_ms: u64,
    /// The same for message text, which people watch being written.
    #[serde(deserialize_with = "window")]
    pub text_throttle_ms: u64,
    /// Rules that come before the built-in table: all that match an event are followed, and then no row of the table.
    pub rules: Vec<RuleConfig>,
}

impl Default for Transform {
    fn default() -> Self {
        Self {
            throttle_ms: 100,
            text_throttle_ms: 33,
            rules: Vec::new(),
        }
    }
}

impl Transform {
    /// See [`throttle_ms`](field@Self::throttle_ms).
    pub fn throttle(&self) -> Duration {
        Duration::from_millis(self.throttle_ms)
    }

    /// See [`text_throttle_ms`](field@Self::text_throttle_ms).
    pub fn text_throttle(&self) -> Duration {
        Duration::from_millis(self.text_throttle_ms)
    }
}

/// `[pace]`: when updates are written.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Pace {
    /// Milliseconds that updates gather under load before they are written together; one that is alone never waits.
    #[serde(deserialize_with = "window")]
    pub flush_interval_ms: u64,
    /// The part of a flush that each priority may count on: critical, high, normal, low.
    pub level_shares: [usize; 4],
    /// Events that may be under way, shared by all producers that have some; beyond its part a producer waits. An event counts
    /// once more for each KiB of its text.
    #[serde(deserialize_with = "Count::<1, { 1 << 24 }>::read")]
    pub producer_backlog: usize,
}

impl Default for Pace {
    fn default() -> Self {
        Self {
            flush_interval_ms: 2,
            level_shares: [8, 4, 2, 1],
            producer_backlog: 1_024,
        }
    }
}

impl Pace {
    /// See [`flush_interval_ms`](field@Self::flush_interval_ms).
    pub fn flush_interval(&self) -> Duration {
        Duration::from_millis(self.flush_interval_ms)
    }
}

/// `[journal]`: what is kept of the stream.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Journal {
    /// Where it is kept.
    pub kind: JournalKind,
    /// The file; its folder is made when it isn't there.
    pub path: PathBuf,
    /// When an event is acknowledged.
    pub durability: JournalDurability,
    /// Events that are kept; the oldest go first.
    #[serde(deserialize_with = "Count::<1, { 1 << 32 }>::read")]
    pub max_events: usize,
    /// Seconds that an event is kept.
    #[serde(deserialize_with = "positive")]
    pub max_age: f64,
    /// Bytes that events may fill: of the file, or of memory.
    #[serde(deserialize_with = "Count::<{ 1 << 20 }, { 1 << 50 }>::read")]
    pub max_bytes: u64,
    /// Bytes of memory that events may hold when they are kept in memory; `max_bytes` holds as well.
    #[serde(deserialize_with = "Count::<{ 1 << 20 }, { 1 << 50 }>::read")]
    pub memory_bytes: u64,
    /// Bytes of memory that the newest events may hold, once for the journal and once for those who come back.
    #[serde(deserialize_with = "Count::<{ 64 * 1024 }, { 1 << 36 }>::read")]
    pub tail_bytes: usize,
    /// Bytes of memory that events may hold that wait to be written.
    #[serde(deserialize_with = "Count::<{ 64 * 1024 }, { 1 << 36 }>::read")]
    pub queue_bytes: usize,
}

durations!(Journal { max_age });

impl Default for Journal {
    fn default() -> Self {
        Self {
            kind: JournalKind::Sqlite,
            path: PathBuf::from("stoa.db"),
            durability: JournalDurability::Process,
            max_events: 1_000_000,
            max_age: 7.0 * 86_400.0,
            max_bytes: 2_147_483_648,
            memory_bytes: 67_108_864,
            tail_bytes: 16_777_216,
            queue_bytes: 33_554_432,
        }
    }
}

/// Where the journal is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum JournalKind {
    /// In a file: there again when the server starts again.
    Sqlite,
    /// In memory: gone when the server stops.
    Memory,
}

/// When an event is acknowledged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum JournalDurability {
    /// Once the operating system has it: the end of the process loses nothing.
    Process,
    /// Once the disk has it: the end of the power loses nothing.
    Disk,
}

/// `[seneca]`: what Seneca's own pages are sent.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Seneca {
    /// Whether everybody gets the updates that only Seneca's pages know, and not only those who subscribed.
    pub broadcast: bool,
    /// To whom the sums of the whole stream are sent, at most once a second and only when they changed.
    pub aggregates: Recipients,
    /// Bytes of memory that is held of the stream for these pages.
    #[serde(deserialize_with = "Count::<{ 1 << 20 }, { 1 << 36 }>::read")]
    pub max_bytes: usize,
}

impl Default for Seneca {
    fn default() -> Self {
        Self {
            broadcast: false,
            aggregates: Recipients::Everybody,
            max_bytes: 32 * 1024 * 1024,
        }
    }
}
