//! Questions of agents to people, as their events tell them.

use std::borrow::Cow;

use serde_json::Value;

use crate::event::{Event, EventName, Object};

/// The keys of a request's id.
const REQUEST: [&str; 2] = ["request_id", "requestId"];

/// The request that an event is about. The event's own id stands for a question that has none.
pub(crate) fn request_id(event: &Event) -> Option<Cow<'_, str>> {
    let said = named(&event.data);
    let is_asked = input_status(&event.name) == Some("open");
    said.or_else(|| is_asked.then(|| Cow::from(&*event.id)))
}

fn named(data: &Object) -> Option<Cow<'_, str>> {
    REQUEST.iter().find_map(|key| match data.get(*key)? {
        Value::String(id) if !id.is_empty() => Some(Cow::from(id)),
        Value::Number(id) => Some(id.to_string().into()),
        _ => None,
    })
}

/// The status of a request after an event of it; none for other events of the family.
pub(crate) fn input_status(name: &EventName) -> Option<&'static str> {
    match name.canonical().strip_prefix("input.")? {
        "requested" => Some("open"),
        "received" => Some("received"),
        "expired" => Some("expired"),
        _ => None,
    }
}
