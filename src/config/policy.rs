//! The sections about permissions, limits on events, and updates.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use smart_default::SmartDefault;

use super::{
    invalid::Invalid,
    numbers::{Count, Millis, Seconds, YEAR},
    secret::Secret,
    switch::Switch,
};
use crate::config::{Recipients, RuleConfig};

/// `[rate_limiting]`: budgets of clients' messages.
#[derive(Debug, Clone, PartialEq, SmartDefault, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RateLimiting {
    /// Whether the limits are in force.
    pub enabled: Switch,
    /// Messages of one observer in a minute, on one connection and on all of its user's together.
    pub messages_per_minute: Count<100, 1, { 1 << 30 }>,
    /// Messages that an observer may send at once before the minute's rate counts.
    pub burst_limit: Count<10, 1, { 1 << 30 }>,
    /// Messages that a connection may send in its first seconds beside all other limits: pages join their rooms then.
    #[default = 32]
    pub opening_messages: u32,
    /// The length of these first seconds.
    pub opening_seconds: Seconds<10_000, 0>,
    /// So many connections of a user make its burst and its rate so many times as large; more don't.
    pub burst_connections: Count<8, 1, { 1 << 10 }>,
    /// Messages of all observers of one address in a minute: a household or an office shares one.
    pub address_messages_per_minute: Count<3000, 1, { 1 << 30 }>,
    /// Messages of one address at once.
    pub address_burst_limit: Count<300, 1, { 1 << 30 }>,
    /// Refused messages of one connection after which its client is banned.
    pub strikes: Count<50, 1, { 1 << 30 }>,
    /// Seconds for which such a client is banned.
    pub ban_duration: Seconds<300_000>,
    /// Events of one producer in a second; 0 is without limit, since a producer's events are what the server is for.
    pub producer_events_per_second: u32,
}

/// `[content_filtering]`: limits on events.
#[derive(Debug, Clone, PartialEq, SmartDefault, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ContentFiltering {
    /// Whether the fields of an event are checked beyond what is needed to read it. The needed ones are always checked.
    #[default = true]
    pub validate_message_format: bool,
    /// Bytes of one event.
    pub max_message_size: Count<64_000, 256, { 1 << 30 }>,
    /// The clients that get texts made harmless for pages which put them into HTML; the journal keeps the original.
    pub sanitize_content: Recipients,
    /// The deepest nesting of objects and lists in one event.
    pub max_depth: Count<32, 4, 100>,
    /// Values in all objects and lists of one event together.
    pub max_elements: Count<10_000, 16>,
    /// Bytes of an id by which an event names something; facts about each thing are kept under its id.
    pub max_id_length: Count<512, 64, 4096>,
}

/// `[transform]`: the rules from events to updates.
#[derive(Debug, Clone, PartialEq, SmartDefault, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Transform {
    /// Milliseconds within which updates of the same key become one.
    pub throttle_ms: Millis<100>,
    /// The same for message text, which people watch being written.
    pub text_throttle_ms: Millis<33>,
    /// The same for sums of tokens and costs.
    pub usage_throttle_ms: Millis<1_000>,
    /// Rules that come before the built-in table: all that match an event are followed, and then no row of the table.
    pub rules: Vec<RuleConfig>,
}

/// `[pace]`: the times at which updates are sent.
#[derive(Debug, Clone, PartialEq, SmartDefault, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Pace {
    /// Milliseconds for which updates are collected under load and then written together; one that is alone never
    /// waits.
    pub flush_interval_ms: Millis<2>,
    /// Whether the server degrades under load, step by step: larger batches, then low priority coalesced for longer, then
    /// low priority refused.
    #[default(true)]
    pub degrade: bool,
    /// The part of its time in percent for which the loop may be busy before the load is too high.
    pub degrade_busy_percent: Count<90, 10, 100>,
    /// Accepted events that may be unsent all the time before the load is too high: a queue that empties is a burst.
    pub degrade_lag: Count<128>,
    /// Milliseconds for which the load is too high before the next step.
    pub degrade_after_ms: Millis<1_000, 100>,
    /// Milliseconds for which the load is below half of these bounds, and nothing urgent is late, before a step back.
    pub recover_after_ms: Millis<5_000, 100>,
    /// Milliseconds between two flushes from the first step on.
    pub degraded_flush_interval_ms: Millis<10>,
    /// The factor by which the windows of low priority are longer from the second step on.
    pub degraded_low_windows: Count<10, 1, 1_000>,
    /// The part of a flush that each priority may count on: critical, high, normal, low.
    #[default([8, 4, 2, 1])]
    pub level_shares: [usize; 4],
    /// Events in flight, shared by all producers that have some; beyond its share a producer waits. An event counts
    /// once more for each KiB of its text.
    pub producer_backlog: Count<1024>,
}

/// `[journal]`: the journal of events.
#[derive(Debug, Clone, PartialEq, SmartDefault, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Journal {
    /// The kind of journal.
    #[default(JournalKind::Sqlite)]
    pub kind: JournalKind,
    /// With `kind = "redis"`, the engine's address; it may hold a password, so it is not shown.
    pub url: Secret,
    /// The addresses of sentinels, which know the engine's primary: the host in `url` is its name then. They may hold
    /// passwords.
    pub sentinels: Vec<Secret>,
    /// The name of the journal in the engine: all nodes with this name share it.
    #[default = "stoa"]
    pub deployment: String,
    /// The promise of an acknowledgement.
    pub acks: JournalAcks,
    /// Seconds for a connection with the engine, and for each of its answers.
    pub timeout: Seconds<2_000, 100, 60_000>,
    /// The file; its folder is made if it is absent.
    #[default(PathBuf::from("stoa.db"))]
    pub path: PathBuf,
    /// The moment at which an event is acknowledged.
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
    /// Bytes of memory that the newest events may hold, once for the journal and once for clients that come back.
    pub tail_bytes: Count<{ 16 << 20 }, { 64 << 10 }, { 1 << 36 }>,
    /// Bytes of memory of events that wait to be written.
    pub queue_bytes: Count<{ 32 << 20 }, { 64 << 10 }, { 1 << 36 }>,
}

impl Journal {
    /// The first key of an engine that can't be used.
    pub(super) fn invalid_engine(&self) -> Option<Invalid> {
        if self.kind != JournalKind::Redis {
            return None;
        }
        let wrong = |key, message: String| Some(Invalid::new("journal", key, message));
        let forms = "must be redis://host:6379, rediss:// (encrypted) or unix:///path/of/the.sock, with user:password@ before the host \
                     if it asks for one";
        // The reader's own message may quote the address, with its password.
        let is_one =
            |url: &str| redis::parse_redis_url(url).is_some() && redis::Client::open(url).is_ok();
        if self.url.is_empty() {
            return wrong(
                "url",
                "is empty, but [journal] kind is \"redis\": name the engine, as redis://host:6379"
                    .into(),
            );
        }
        if !is_one(&self.url) {
            return wrong("url", forms.into());
        }
        if !self.sentinels.iter().all(|url| is_one(url)) {
            return wrong("sentinels", forms.into());
        }
        let is_name = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
        if self.deployment.is_empty() || !self.deployment.chars().all(is_name) {
            return wrong(
                "deployment",
                format!(
                    "is {:?}: a name has letters, digits, '.', '_' and '-'",
                    self.deployment
                ),
            );
        }
        None
    }
}

/// The kind of journal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum JournalKind {
    /// A file, which survives a restart.
    Sqlite,
    /// Memory, which is lost when the server stops.
    Memory,
    /// Redis or Valkey, which several nodes share.
    Redis,
}

/// The promise that an acknowledgement makes where Redis keeps the journal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum JournalAcks {
    /// The primary has the event.
    #[default]
    Primary,
    /// A replica has it as well.
    Replica,
    /// A replica has it as well, and the disk.
    Disk,
}

/// The moment at which an event is acknowledged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum JournalDurability {
    /// When the operating system has it: a crash of the process loses nothing.
    Process,
    /// When the disk has it: a power cut loses nothing.
    Disk,
}

/// `[seneca]`: updates for Seneca's own pages.
#[derive(Debug, Clone, PartialEq, SmartDefault, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Seneca {
    /// Whether everybody gets the updates and the aggregates that only Seneca's pages know, not only those who ask.
    pub broadcast: bool,
    /// The clients that get aggregates over the whole stream, at most once a second and only when they changed.
    pub aggregates: Recipients,
    /// Bytes of memory of the data for these pages.
    pub max_bytes: Count<{ 32 << 20 }, { 1 << 20 }, { 1 << 36 }>,
}
