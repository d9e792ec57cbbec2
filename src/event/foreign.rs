//! Shapes whose `id` is not the id of an event.
//!
//! Their producers write the same `id` into many events: the parts of one text, the start and the end of one span, the
//! calls of one connection. Read as an event's id it would make all but the first a repetition.

use serde_json::Value;

use super::{Object, dialect::visual, raw::present};

/// Keys that only such shapes have.
const MARKS: [&str; 5] = ["jsonrpc", "trace_id", "traceId", "span_id", "spanId"];

/// The parts of Vercel's UI message stream that name a text, a thought or a tool call by `id`.
const PARTS: [&str; 9] = [
    "text-start",
    "text-delta",
    "text-end",
    "text",
    "reasoning-start",
    "reasoning-delta",
    "reasoning-end",
    "reasoning",
    "tool-call-delta",
];

/// Takes the `id` out of an object in which it means something else.
pub(super) fn take_id(object: &mut Object) -> Option<Value> {
    is_foreign(object).then(|| object.remove("id")).flatten()
}

/// The key under which an event without an id of its own can be given one; `None` for an event that has one.
pub fn free_id_key(object: &Object) -> Option<&'static str> {
    let is_foreign = is_foreign(object);
    let has_own = present(object, "event_id")
        || present(object, "id") && !is_foreign
        || present(object, "update_id") && visual::is(object);
    match has_own {
        true => None,
        // Some shapes read `event_id` wherever it stands, also as `null`.
        false if object.contains_key("event_id") || is_foreign => Some("event_id"),
        false => Some("id"),
    }
}

/// Whether the `id` of this object means something else.
fn is_foreign(object: &Object) -> bool {
    // Agents' own events may name their trace: they have their facts in `data`.
    if object.contains_key("data") {
        return false;
    }
    let is_text = |key: &str| object.get(key).is_some_and(Value::is_string);
    let is_span = MARKS.iter().any(|key| is_text(key))
        || object
            .get("context")
            .and_then(|context| context.get("trace_id"))
            .is_some();
    let is_part = object
        .get("type")
        .and_then(Value::as_str)
        .is_some_and(|name| PARTS.contains(&name));
    is_span || is_part
}
