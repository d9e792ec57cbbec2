//! A Marcus structured conversation line: the key `event` names it, `logger` and `level` say where it was logged.
//!
//! The line may have an `event_type` of its own ("progress", "assignment"): that is a fact, not the type.

use serde_json::Value;

use crate::{
    error::Error,
    event::{Dialect, Event, EventName, Ids, Object, ParseContext, Settled, fields},
};

pub(in crate::event) fn read(
    mut object: Object,
    context: &ParseContext<'_>,
) -> Result<Event, Error> {
    let name = match object.remove("event") {
        Some(Value::String(event)) if fields::is_type(&event) => EventName::new(&event),
        // Some of Marcus' lines are free text ("MCP tool create_task failure").
        Some(Value::String(event)) if !event.is_empty() => EventName::new(&fields::slug(&event)),
        Some(_) | None => {
            return Err(Error::new(
                "invalid_type",
                "event must be a string that names the line",
            ));
        }
    };
    let id = match object.remove("event_id") {
        None => fields::read_id(object.remove("id").filter(|v| !v.is_null()))?,
        own => fields::read_id(own.filter(|v| !v.is_null()))?,
    };
    let timestamp = fields::timestamp(&mut object, context)?;
    let mut metadata = Object::new();
    for key in ["logger", "level"] {
        if let Some(value) = object.remove(key) {
            metadata.insert(key.into(), value);
        }
    }
    let speaker = speaker(&name, &object, &metadata).map(Value::from);
    let source = fields::source(speaker, &object, context)?;
    let project_id = match object.get("metadata").and_then(|m| m.get("project_id")) {
        Some(Value::String(id)) => Some(id.as_str().into()),
        _ => fields::project_id(None)?,
    };
    Ok(Event {
        id,
        name,
        timestamp,
        source,
        project_id,
        priority: None,
        data: object,
        metadata,
        dialect: Dialect::Conversation,
        ids: Ids::default(),
        content: 0,
        emission: None,
        settled: Settled::default(),
    })
}

/// The speaker of the line.
fn speaker(name: &EventName, line: &Object, metadata: &Object) -> Option<String> {
    let text = |key: &str| line.get(key).and_then(Value::as_str).map(str::to_owned);
    let worker = || text("worker_id");
    match name.canonical() {
        "worker.communication" if text("conversation_type").as_deref() == Some("worker_to_pm") => {
            worker()
        }
        "progress.update" | "blocker.reported" => worker(),
        "kanban.interaction" if text("conversation_type").as_deref() != Some("pm_to_kanban") => {
            Some("kanban_board".to_owned())
        }
        _ if metadata.contains_key("logger") => Some("marcus".to_owned()),
        _ => None,
    }
}
