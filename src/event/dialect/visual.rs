//! `{update_id, update_type, target_id, changes, …}`: workflow visualisation, as the model and as sent over its socket
//! (where `type` holds the update type).

use serde_json::Value;

use crate::{
    error::Error,
    event::{Dialect, Event, EventName, Ids, Object, ParseContext, Settled, fields, raw::present},
};

const TYPES: [&str; 5] = [
    "node_update",
    "edge_update",
    "layout_update",
    "style_update",
    "complete_refresh",
];

fn update_type(object: &Object) -> Option<&str> {
    let key = if present(object, "type") {
        "type"
    } else {
        "update_type"
    };
    let named = object.get(key).and_then(Value::as_str);
    named.filter(|name| TYPES.contains(name))
}

pub(in crate::event) fn is(object: &Object) -> bool {
    !present(object, "event_type")
        && !present(object, "event")
        && update_type(object).is_some()
        && object.get("target_id").is_some_and(Value::is_string)
        && object.get("changes").is_some_and(Value::is_object)
}

/// Whether an object has some keys of this shape, but not all.
pub(in crate::event) fn is_half(object: &Object) -> bool {
    ["update_type", "update_id", "target_id", "changes"]
        .iter()
        .any(|key| present(object, key))
}

pub(in crate::event) fn read(
    mut object: Object,
    context: &ParseContext<'_>,
) -> Result<Event, Error> {
    let kind = update_type(&object).unwrap_or_default().to_owned();
    object.remove("type");
    let id = match object.remove("update_id") {
        None | Some(Value::Null) => fields::id(&mut object)?,
        own => fields::read_id(own)?,
    };
    let timestamp = fields::timestamp(&mut object, context)?;
    let priority = fields::priority(&mut object)?;
    let metadata = fields::metadata(&mut object)?;
    let own_source = object.remove("source");
    let own_project = object.remove("project_id");
    let mut data = object;
    data.insert("update_id".into(), Value::from(&*id));
    data.insert("update_type".into(), Value::from(kind.as_str()));
    data.insert("metadata".into(), Value::Object(metadata.clone()));
    Ok(Event {
        id,
        name: EventName::with_canonical(&kind, &format!("visual.{kind}")),
        timestamp,
        source: fields::source(own_source, &data, context)?,
        project_id: fields::project_id(own_project)?,
        priority,
        data,
        metadata,
        dialect: Dialect::Visual,
        ids: Ids::default(),
        content: 0,
        emission: None,
        settled: Settled::default(),
    })
}
