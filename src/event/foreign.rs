//! Shapes whose `id` is not the id of an event.
//!
//! Their producers write the same `id` into many events: the parts of one text, the start and the end of one span, the
//! calls of one connection. Read as an event's id it would make all but the first a repetition.

use serde_json::Value;

use super::Object;

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
    // Agents' own events may name their trace: they have their facts in `data`.
    if object.contains_key("data") {
        return None;
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
    (is_span || is_part).then(|| object.remove("id")).flatten()
}
