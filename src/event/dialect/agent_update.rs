//! `{type:"agent_update", agent_id, update_type, data, timestamp}`: the update pipeline's message.

use serde_json::Value;

use crate::{
    error::Error,
    event::{Dialect, Event, EventName, Ids, Object, ParseContext, Settled, fields},
};

pub(in crate::event) fn is(object: &Object) -> bool {
    object.get("type").and_then(Value::as_str) == Some("agent_update")
        && object.get("update_type").is_some_and(Value::is_string)
}

pub(in crate::event) fn read(
    mut object: Object,
    context: &ParseContext<'_>,
) -> Result<Event, Error> {
    let raw = fields::event_type(&mut object)?;
    let update_type = object
        .get("update_type")
        .and_then(Value::as_str)
        .unwrap_or_default();
    let canonical = format!("agent.{update_type}");
    if !fields::is_type(&canonical) {
        return Err(Error::new(
            "invalid_type",
            "update_type is not allowed: 1 to 122 characters of A-Z a-z 0-9 _ . : -",
        ));
    }
    let name = EventName::with_canonical(&raw, &canonical);
    let id = fields::id(&mut object)?;
    let timestamp = fields::timestamp(&mut object, context)?;
    let priority = fields::priority(&mut object)?;
    let mut data = fields::data(&mut object)?;
    let metadata = fields::metadata(&mut object)?;
    let own_source = object.remove("source");
    let own_project = object.remove("project_id");
    // The ids stand beside the data; the agent's own view of itself must not replace them.
    data.extend(object);
    Ok(Event {
        id,
        name,
        timestamp,
        source: fields::source(own_source, &data, context)?,
        project_id: fields::project_id(own_project)?,
        priority,
        data,
        metadata,
        dialect: Dialect::AgentUpdate,
        ids: Ids::default(),
        content: 0,
        emission: None,
        settled: Settled::default(),
    })
}
