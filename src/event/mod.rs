//! What comes in: the canonical [`Event`] and the dialects that are turned into it.
//!
//! Every door hands raw JSON to [`parse`](fn@parse) and gets one `Event` or one [`Rejection`].
//! Nothing behind the doors ever sees a producer's own dialect again.

mod check;
mod dialect;
mod fields;
mod ids;
pub mod lenient;
mod meant;
mod name;
mod parse;
mod priority;
mod rejection;
mod stored;
#[cfg(test)]
mod tests;
mod thing;
mod tidy;
mod timestamp;
mod weight;

use std::sync::Arc;

use serde_json::{Map, Value};

pub use check::{check, elements_exceed};
pub use name::{EventName, folded};
pub use parse::{Intake, parse};
pub use priority::Priority;
pub use rejection::Rejection;
pub use thing::{Kind, Owner};
pub use tidy::{Tidied, tidy};
pub use timestamp::Timestamp;
pub use weight::{held_by_object, json_len};

/// A JSON object, as producers send it and observers get it.
pub type Object = Map<String, Value>;

/// One thing that happened in a multi-agent system, in the one form that everything behind the doors reads.
#[derive(Debug, Clone, PartialEq)]
pub struct Event {
    /// Names the event for duplicate detection; minted as a UUIDv7 when the producer gave none.
    pub id: Arc<str>,
    /// What happened: as written (observers get it back) and folded (everything is matched on it).
    pub name: EventName,
    /// When it happened by the producer's clock, or when it arrived if the producer did not say.
    pub timestamp: Timestamp,
    /// Who says so; Seneca's conversation view shows it as the speaker.
    pub source: Arc<str>,
    /// The project it belongs to, lifted out of wherever the dialect hides it, for rooms and filters.
    pub project_id: Option<Arc<str>>,
    /// The producer's own wish; `None` leaves it to the transformation table.
    pub priority: Option<Priority>,
    /// The facts.
    pub data: Object,
    /// Facts about the facts (severity, logger, level), passed on untouched.
    pub metadata: Object,
    /// The shape it came in: Seneca words its conversation lines differently for each.
    pub dialect: Dialect,
}

/// The shape in which an event arrived.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Dialect {
    /// `{type|event_type, data, …}`: the contract's own shape, which is also the Marcus bus event's.
    Canonical,
    /// A Marcus realtime log line: `type` and the data keys beside it.
    RealtimeLog,
    /// A Marcus structured conversation line: the `event` key.
    Conversation,
    /// `{type, job|run|step|nodeState, timestamp, errorMessage}` (ingest, agent-run and workflow services).
    Service,
    /// `{update_id, update_type, target_id, changes, …}` (workflow visualisation).
    Visual,
    /// `{type:"agent_update", agent_id, update_type, data, timestamp}` (update pipeline).
    AgentUpdate,
}
