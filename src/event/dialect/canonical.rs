//! `{type|event_type, data, …}`: the contract's own shape, and the Marcus bus event's.

use crate::event::{Dialect, Event, EventName, Intake, Object, Rejection, fields};

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

pub(in crate::event) fn is(object: &Object) -> bool {
    object.contains_key("data") || object.keys().all(|key| ENVELOPE.contains(&key.as_str()))
}

pub(in crate::event) fn read(mut object: Object, intake: &Intake<'_>) -> Result<Event, Rejection> {
    let name = EventName::new(&fields::event_type(&mut object)?);
    let id = fields::id(&mut object)?;
    let timestamp = fields::timestamp(&mut object, intake)?;
    let priority = fields::priority(&mut object)?;
    let data = fields::data(&mut object)?;
    let mut metadata = fields::metadata(&mut object)?;
    let source = fields::source(object.remove("source"), &data, intake)?;
    let project_id = fields::project_id(object.remove("project_id"), &data)?;
    // What else stands beside the envelope is kept where it can't be taken for a fact.
    for (key, value) in object {
        metadata.entry(key).or_insert(value);
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
    })
}
