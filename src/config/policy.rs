//! The sections that say who may do what, what may come in, and what becomes of it.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use smart_default::SmartDefault;

use super::{
    numbers::{Count, Millis, Seconds, YEAR},
    switch::Switch,
};
use crate::config::{Recipients, RuleConfig};

/// `[rate_limiting]`: how much one client may send.
#[derive(Debug, Clone, PartialEq, SmartDefault, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RateLimiting {
    /// Whether the limits below hold.
    pub enabled: Switch,
    /// Messages of one observer in a minute, on one connection and on all of its user's together.
    pub messages_per_minute: Count<100, 1, { 1 << 30 }>,
    /// Messages that an observer may send at once before the minute's rate counts.
    pub burst_limit: Count<10, 1, { 1 << 30 }>,
    /// Messages that a connection may send in its first seconds beside all other limits: pages join their rooms then.
    #[default = 32]
    pub opening_messages: u32,
    /// How many seconds these are.
    pub opening_seconds: Seconds<10_000, 0>,
    /// So many connections of a user make its burst and its rate so many times as large; more don't.
    pub burst_connections: Count<8, 1, { 1 << 10 }>,
    /// Messages of all observers of one address in a minute: a household or an office shares one.
    pub address_messages_per_minute: Count<3000, 1, { 1 << 30 }>,
    /// Messages of one address at once.
    pub address_burst_limit: Count<300, 1, { 1 << 30 }>,
    /// Refused messages of one connection after which whoever sends them is kept out.
    pub strikes: Count<50, 1, { 1 << 30 }>,
    /// Seconds that a client stays out that does not heed the limits.
    pub ban_duration: Seconds<300_000>,
    /// Events of one producer in a second; 0 is without limit, since a producer's events are what the server is for.
    pub producer_events_per_second: u32,
}

/// `[content_filtering]`: what an event may look like.
#[derive(Debug, Clone, PartialEq, SmartDefault, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ContentFiltering {
    /// Whether the fields of an event are checked beyond what is needed to read it. What is needed is always checked.
    #[default = true]
    pub validate_message_format: bool,
    /// Bytes of one event.
    pub max_message_size: Count<64_000, 256, { 1 << 30 }>,
    /// To whom texts are sent that are harmless where a page puts them into HTML; what is kept stays as it was said.
    pub sanitize_content: Recipients,
    /// How deep objects and lists of one event may nest.
    pub max_depth: Count<32, 4, 100>,
    /// Values in all objects and lists of one event together.
    pub max_elements: Count<10_000, 16>,
    /// Bytes of an id by which an event names something: what is known of each thing is kept by it.
    pub max_id_length: Count<512, 64, 4096>,
}

/// `[transform]`: what becomes of an event.
#[derive(Debug, Clone, PartialEq, SmartDefault, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Transform {
    /// Milliseconds within which updates of the same key become one.
    pub throttle_ms: Millis<100>,
    /// The same for message text, which people watch being written.
    pub text_throttle_ms: Millis<33>,
    /// Rules that come before the built-in table: all that match an event are followed, and then no row of the table.
    pub rules: Vec<RuleConfig>,
}

/// `[pace]`: when updates are written.
#[derive(Debug, Clone, PartialEq, SmartDefault, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Pace {
    /// Milliseconds that updates gather under load before they are written together; one that is alone never waits.
    pub flush_interval_ms: Millis<2>,
    /// The part of a flush that each priority may count on: critical, high, normal, low.
    #[default([8, 4, 2, 1])]
    pub level_shares: [usize; 4],
    /// Events that may be under way, shared by all producers that have some; beyond its part a producer waits. An event counts
    /// once more for each KiB of its text.
    pub producer_backlog: Count<1024>,
}

/// `[journal]`: what is kept of the stream.
#[derive(Debug, Clone, PartialEq, SmartDefault, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Journal {
    /// Where it is kept.
    #[default(JournalKind::Sqlite)]
    pub kind: JournalKind,
    /// The file; its folder is made when it isn't there.
    #[default(PathBuf::from("stoa.db"))]
    pub path: PathBuf,
    /// When an event is acknowledged.
    #[default(JournalDurability::Process)]
    pub durability: JournalDurability,
    /// Events that are kept; the oldest go first.
    pub max_events: Count<1_000_000, 1, { 1 << 32 }>,
    /// Seconds that an event is kept.
    pub max_age: Seconds<604_800_000, 1, { 100 * YEAR }>,
    /// Bytes that events may fill: of the file, or of memory.
    pub max_bytes: Count<{ 2 << 30 }, { 1 << 20 }, { 1 << 50 }>,
    /// Bytes of memory that events may hold when they are kept in memory; `max_bytes` holds as well.
    pub memory_bytes: Count<{ 64 << 20 }, { 1 << 20 }, { 1 << 50 }>,
    /// Bytes of memory that the newest events may hold, once for the journal and once for those who come back.
    pub tail_bytes: Count<{ 16 << 20 }, { 64 << 10 }, { 1 << 36 }>,
    /// Bytes of memory that events may hold that wait to be written.
    pub queue_bytes: Count<{ 32 << 20 }, { 64 << 10 }, { 1 << 36 }>,
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
#[derive(Debug, Clone, PartialEq, SmartDefault, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Seneca {
    /// Whether everybody gets the updates that only Seneca's pages know, and not only those who subscribed.
    pub broadcast: bool,
    /// To whom the sums of the whole stream are sent, at most once a second and only when they changed.
    #[default(Recipients::Everybody)]
    pub aggregates: Recipients,
    /// Bytes of memory that is held of the stream for these pages.
    pub max_bytes: Count<{ 32 << 20 }, { 1 << 20 }, { 1 << 36 }>,
}
