//! `{type|event_type, data, …}`: the contract's own shape, and the Marcus bus event's.

use serde_json::Value;

use crate::{
    error::Error,
    event::{
        Dialect, Event, EventName, Ids, Object, ParseContext, Settled, fields,
        ids::{is_id, names_agent},
    },
};

/// The keys of the envelope; an object without `data` that has others is a realtime log line.
const ENVELOPE: [&str; 9] = [
    "type",
    "event_type",
    "id",
    "event_id",
    "timestamp",
    "source",
    "project_id",
    "priority",
    "metadata",
];

/// The reports of Marcus' agents about themselves: the bus names the agent in `source`, and for some reports nowhere
/// else.
const REPORTS: [&str; 7] = [
    "agent.registered",
    "blocker.resolved",
    "task.blocked",
    "task.completed",
    "task.progress",
    "task.requested",
    "task.started",
];

/// Parts of Marcus that are sources but no agents.
const PARTS: [&str; 9] = [
    "auto_complete",
    "context",
    "kanban",
    "manual_intervention",
    "marcus",
    "mcp_client",
    "memory_system",
    "nlp_orchestrator",
    "system",
];

pub(in crate::event) fn is(object: &Object) -> bool {
    object.contains_key("data") || object.keys().all(|key| ENVELOPE.contains(&key.as_str()))
}

pub(in crate::event) fn read(
    mut object: Object,
    context: &ParseContext<'_>,
) -> Result<Event, Error> {
    let is_bus = ["event_id", "event_type", "source"]
        .iter()
        .all(|key| object.get(*key).is_some_and(Value::is_string));
    let name = EventName::published(&fields::event_type(&mut object)?);
    let id = fields::id(&mut object)?;
    let timestamp = fields::timestamp(&mut object, context)?;
    let priority = fields::priority(&mut object)?;
    let mut data = fields::data(&mut object)?;
    let mut metadata = fields::metadata(&mut object)?;
    let source = fields::source(object.remove("source"), &data, context)?;
    let project_id = fields::project_id(object.remove("project_id"))?;
    if is_bus && REPORTS.contains(&name.canonical()) && is_agent(&source) && !names_agent(&data) {
        data.insert("agent_id".into(), (*source).into());
    }
    if name.canonical() == "agent.handoff"
        && !names_agent(&data)
        && let Some(from) = data
            .get("from_agent_id")
            .filter(|id| !id.is_null() && !id.is_object())
            .cloned()
    {
        data.insert("agent_id".into(), from);
    }
    // Other keys beside the envelope are kept where nobody takes them for facts; but an id beside the data names a
    // thing as well as one in it.
    for (key, value) in object {
        match is_id(&key) && !value.is_null() {
            true => data.entry(key).or_insert(value),
            false => metadata.entry(key).or_insert(value),
        };
    }
    Ok(Event {
        id,
        name,
        timestamp,
        source,
        project_id,
        priority,
        data,
        metadata,
        dialect: Dialect::Canonical,
        ids: Ids::default(),
        content: 0,
        emission: None,
        settled: Settled::default(),
    })
}

/// Whether a source can be an agent: an agent needs a name that a room can have.
fn is_agent(source: &str) -> bool {
    fields::is_type(source) && !PARTS.contains(&source)
}
