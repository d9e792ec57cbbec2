//! The sections that say how the server holds its clients and writes to them.
//!
//! Every field has a default that makes the first run on loopback work: its type names it, or the attribute above it.

use serde::{Deserialize, Serialize};
use smart_default::SmartDefault;

use super::numbers::{Count, Seconds};
use crate::channel::{MAX_DECLARED, Namespace};

/// `[rooms]`: named sets of observers.
#[derive(Debug, Clone, PartialEq, SmartDefault, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Rooms {
    /// The room in which every client is from the start.
    #[default = "general"]
    pub default_room: String,
    /// Members of one room that clients join by request, so that a room's cost has a bound; rooms that clients are put
    /// in have none.
    pub max_room_size: Count<1000>,
    /// Rooms that one client may join by request, so that no client can fill the memory with rooms.
    pub max_rooms_per_client: Count<100, 1, { 1 << 20 }>,
    /// Rooms of any name that may have members at a time, those of applications' namespaces among them: their names hold
    /// memory, and clients choose them.
    pub max_free_rooms: Count<100_000, 1, { 1 << 30 }>,
    /// Bytes of memory that these may hold.
    pub max_free_room_bytes: Count<{ 32 << 20 }, { 16 << 10 }, { 1 << 40 }>,
    /// Visitors of rooms by HTTP that may be present at a time; an eighth of them may be one caller's.
    pub max_visitors: Count<10_000, 8, { 1 << 20 }>,
    /// Seconds between two sweeps of empty rooms. Stoa forgets a room with its last member; the key is taken so that a file made for the seeds' server is.
    pub room_cleanup_interval: Seconds<300_000>,
}

/// `[namespaces]`: the namespaces of applications.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Namespaces {
    /// Paths that Socket.IO clients may connect to beside the server's own; they carry what applications emit.
    pub declared: Vec<String>,
}

impl Namespaces {
    /// The declared namespaces.
    pub fn all(&self) -> Vec<Namespace> {
        let declared = self.declared.iter();
        declared
            .filter_map(|path| Namespace::declare(path))
            .collect()
    }

    /// The reason why these can't be declared.
    pub(super) fn wrong(&self) -> Option<String> {
        if self.declared.len() > MAX_DECLARED {
            let many = self.declared.len();
            return Some(format!(
                "names {many} namespaces: a server has at most {MAX_DECLARED}"
            ));
        }
        let ours = |path: &&String| Namespace::OWN.iter().any(|own| own.path() == **path);
        if let Some(path) = self.declared.iter().find(ours) {
            return Some(format!(
                "has {path:?}, which the server has already: leave it out"
            ));
        }
        let wrong = self
            .declared
            .iter()
            .find(|path| Namespace::declare(path).is_none())?;
        Some(format!(
            "has {wrong:?}: a namespace begins with / and goes on with 1 to 64 of A-Z a-z 0-9 _ . / -, as \"/chat\""
        ))
    }
}

/// `[performance]`: the balance of speed, memory and bytes on the wire.
#[derive(Debug, Clone, PartialEq, SmartDefault, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Performance {
    /// Packets that may wait for a client that polls before it is parked.
    pub message_queue_size: Count<1000, 16, { 1 << 20 }>,
    /// Whether clients that ask for `batch` get one message for each flush.
    #[default = true]
    pub batch_messages: bool,
    /// Whether HTTP answers and the page are compressed (gzip), and messages of WebSockets (permessage-deflate) for
    /// clients that offer it.
    #[default = true]
    pub compression: bool,
    /// Bytes of a WebSocket message from which on it is compressed: a small one gets hardly smaller.
    pub compression_min_bytes: Count<1024, 128, { 1 << 30 }>,
    /// The effort of compressing messages, from 1 (fast) to 9 (small).
    pub compression_level: Count<6, 1, 9>,
    /// Seconds between two heartbeats on a stream of server-sent events.
    pub heartbeat_interval: Seconds<30_000>,
    /// The shortest interval in seconds at which an operator's socket is pushed figures.
    pub figures_interval: Seconds<1_000>,
    /// Events in one `publish` or one `POST`, so that one producer cannot hold up the others.
    pub max_publish_batch: Count<1000, 1, 100_000>,
    /// Calls of `publish` of one client, and parts of one upload, that may wait for their answers while further ones are
    /// placed behind them.
    pub max_unanswered_publishes: Count<1024, 1, 65_536>,
    /// Bytes of memory that the events of these calls may hold, so that one producer can't fill the journal's queue.
    pub max_unanswered_bytes: Count<{ 1 << 20 }, 1, { 1 << 30 }>,
    /// Events that may be kept but not yet sent before producers wait, and after 10 s are told `overloaded`.
    pub max_lag: Count<16_384>,
    /// Updates in one flush: under load more of them means fewer writes, fewer means sooner.
    pub flush_max: Count<256, 1, 50_000>,
    /// Projects, agents, tasks and runs that the state remembers; the least recently changed ones of the largest
    /// project are evicted first.
    pub max_entities: Count<10_000, 16>,
    /// Bytes of memory that the state holds; the least recently changed entities of the largest project are evicted
    /// first.
    pub max_state_bytes: Count<{ 32 << 20 }, { 1 << 20 }, { 1 << 40 }>,
    /// Bytes of one part of a snapshot: a larger one comes in several, since clients and proxies take no message of any size.
    pub snapshot_part_bytes: Count<{ 512 << 10 }, 4096, { 1 << 30 }>,
    /// Facts of one entity; further ones are dropped, so that a producer can't grow an entity without end.
    pub max_entity_facts: Count<64, 16, 4096>,
    /// Tool calls of one agent that go on; of more the state forgets the one that began first, so that calls without an
    /// end don't pile up.
    pub max_tool_calls: Count<16, 1, 1024>,
    /// Questions to people that the state remembers, open ones and the last that were answered; of more the answered ones of
    /// the largest project are forgotten first.
    pub max_inputs: Count<1000, 8, { 1 << 20 }>,
    /// Calls of models of one agent that go on, bounded in the same way.
    pub max_model_calls: Count<16, 1, 1024>,
    /// Models by which the usage of one thing is added up; further ones are one sum together.
    pub max_models: Count<16, 1, 1024>,
    /// Artifacts that the state lists; the least recently changed ones of the project that has most go first.
    pub max_artifacts: Count<1000, 1, 1_000_000>,
    /// Items of one plan that become tasks; further ones are only in the history.
    pub max_plan_items: Count<100, 1, 256>,
}

/// `[inputs]`: answers to the questions of agents.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Inputs {
    /// Bytes of an answer, as JSON: the state keeps it for the agent that asked, and keeps no longer fact.
    pub max_answer_bytes: Count<4096, 64, 8192>,
    /// Requests that wait for answers at a time, since each holds a connection.
    pub max_waits: Count<1024, 1, { 1 << 20 }>,
    /// The same for one caller (a user, a token, or an address), so that none keeps the others out.
    pub max_waits_per_client: Count<128, 1, { 1 << 20 }>,
    /// The longest time in seconds for which one request waits; what asks for more is answered then, and asks again.
    pub max_wait: Seconds<60_000>,
}

/// `[breakers]`: circuit breakers around the parts outside of the server.
#[derive(Debug, Clone, PartialEq, SmartDefault, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Breakers {
    /// Failures in a row after which calls of a part are refused at once.
    pub failures: Count<5, 1, 1_000_000>,
    /// Seconds for which they are, until a probe is let through.
    pub open_for: Seconds<30_000>,
    /// Probes at a time.
    pub probes: Count<1, 1, 1000>,
    /// The same seconds for the journal's file: the server itself is its only user, and its probe is one small write.
    pub journal_open_for: Seconds<200>,
}

/// `[analytics]`: the figures about the use that clients make of the server.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Analytics {
    /// Types of events that are counted by name; those that are watched least are dropped first.
    pub max_event_types: Count<256, 16, 65_536>,
    /// Rooms that are counted by name; those that are watched least are dropped first.
    pub max_rooms: Count<512, 16, 65_536>,
    /// Bytes of memory that these names may hold, and bytes of the text that is saved.
    pub max_bytes: Count<{ 1 << 20 }, 65_536, { 1 << 28 }>,
    /// Ends of sessions within the last minute that are remembered, to find the clients that come back.
    pub max_ends: Count<16_384, 16>,
    /// Seconds between two times that the figures are saved in the journal.
    pub save_interval: Seconds<60_000, 1_000>,
}

/// `[cluster]`: several servers as one.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Cluster {
    /// This server's name among others that share a journal, the same after each start: its figures and the sessions of its
    /// clients are kept under it. Empty for a server on its own.
    pub node_id: String,
    /// Bytes of messages that may wait to be sent to the other nodes, while the engine takes none.
    pub queue_bytes: Count<{ 16 << 20 }, { 64 << 10 }, { 1 << 34 }>,
    /// Bytes of one message between nodes: the engine cuts off a node for which too much waits.
    pub max_message: Count<{ 4 << 20 }, { 16 << 10 }, { 1 << 28 }>,
    /// Seconds after which a node that is not heard of is gone.
    pub node_timeout: Seconds<15_000, 500, 600_000>,
    /// Other nodes that are believed in, so that nobody fills the memory with invented ones.
    pub max_nodes: Count<64, 1, 1024>,
    /// Seconds that another node has to answer a question.
    pub answer_within: Seconds<1_000, 10, 60_000>,
    /// Bytes of other nodes' emissions that wait until this node has sent what comes before them.
    pub held_bytes: Count<{ 16 << 20 }, { 64 << 10 }, { 1 << 34 }>,
    /// Seconds for which one of them waits; then it is dropped.
    pub max_hold: Seconds<5_000, 10, 600_000>,
}

/// `[demo]`: the invented team at work.
#[derive(Debug, Clone, PartialEq, SmartDefault, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Demo {
    /// Whether the team works; the same as `--demo`.
    pub enabled: bool,
    /// The speed: 2.0 is twice as fast.
    #[default = 1.0]
    pub speed: f64,
    /// The seed of the story; the same number gives the same story.
    #[default = 7]
    pub seed: u64,
}

/// `[log]`: the log on stdout.
#[derive(Debug, Clone, PartialEq, SmartDefault, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Log {
    /// A level, or directives such as `info,stoa::net=debug`.
    #[default = "info"]
    pub level: String,
    /// For people or for programs.
    #[default(LogFormat::Text)]
    pub format: LogFormat,
}

/// The format of a line in the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// Text for people.
    Text,
    /// One JSON object on each line.
    Json,
}
