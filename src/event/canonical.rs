//! The canonical event.

use std::sync::Arc;

use strum::{EnumString, IntoStaticStr};

use super::{
    Object, ids::Ids, mint::mint_id, name::EventName, priority::Priority, settled::Settled,
};
use crate::{emission::Emission, timestamp::Timestamp};

/// One thing that happened in a multi-agent system, in the one form that everything behind the doors reads.
#[derive(Debug, Clone, PartialEq)]
pub struct Event {
    /// Names the event for duplicate detection, among those of its producer; minted as a UUIDv7 when it gave none.
    pub id: Arc<str>,
    /// The event's name: as written (observers get it back) and folded (everything is matched on it).
    pub name: EventName,
    /// The time of the event by the producer's clock, or of its arrival if the producer did not say.
    pub timestamp: Timestamp,
    /// The source that says so; Seneca's conversation view shows it as the speaker.
    pub source: Arc<str>,
    /// The project that it belongs to: first the one that it names, under whichever key of its dialect, and then the
    /// one that was settled.
    pub project_id: Option<Arc<str>>,
    /// The producer's own wish; `None` leaves it to the transformation table.
    pub priority: Option<Priority>,
    /// The facts.
    pub data: Object,
    /// Facts about the facts (severity, logger, level), passed on untouched.
    pub metadata: Object,
    /// The shape it came in: Seneca words its conversation lines differently for each.
    pub dialect: Dialect,
    /// The ids that it names, found once.
    pub ids: Ids,
    /// A hash of its content as it was sent: an id that comes again with other content is not a repetition.
    pub content: u64,
    /// The emission that it is, if it is one: no dialect can say that.
    pub emission: Option<Arc<Emission>>,
    /// The facts that are settled when the event is accepted.
    pub settled: Settled,
}

impl Event {
    /// An event of this name about these facts, as of now; for programs that make their own.
    pub fn new(name: EventName, data: Object) -> Self {
        let ids = Ids::find(&data, name.family());
        Self {
            id: mint_id().to_string().into(),
            timestamp: Timestamp::now(),
            source: "".into(),
            project_id: ids.project().map(Into::into),
            priority: None,
            metadata: Object::new(),
            dialect: Dialect::Canonical,
            ids,
            content: 0,
            emission: None,
            settled: Settled::default(),
            name,
            data,
        }
    }
}

/// The shape in which an event arrived.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, EnumString, IntoStaticStr)]
#[strum(serialize_all = "snake_case")]
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
    /// An emission that is kept: it came by no dialect.
    Emission,
}
