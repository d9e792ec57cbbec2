//! The shapes of events, told from plain ones.

use serde_json::Value;

use crate::event::Object;

/// The channels of the streaming protocol.
const METHODS: [&str; 9] = [
    "values",
    "updates",
    "messages",
    "tools",
    "lifecycle",
    "input.requested",
    "checkpoints",
    "custom",
    "tasks",
];

/// Whether this is an event of the streaming protocol.
pub(super) fn is_of_protocol(message: &Object) -> bool {
    let method = message.get("method").and_then(Value::as_str);
    message.get("type").and_then(Value::as_str) == Some("event")
        && method.is_some_and(|method| METHODS.contains(&method) || method.starts_with("custom:"))
        && message.get("params").is_some_and(Value::is_object)
}

/// Whether this is an event of `astream_events`.
pub(super) fn is_event(message: &Object) -> bool {
    let name = message.get("event").and_then(Value::as_str);
    name.is_some_and(|name| name.starts_with("on_"))
        && message.get("run_id").is_some_and(Value::is_string)
        && message.get("data").is_some_and(Value::is_object)
        && (message.contains_key("parent_ids") || message.contains_key("tags"))
}

/// Whether a plain event is one of LangGraph's.
pub(in crate::translate) fn speaks(message: &Object) -> bool {
    is_of_protocol(message) || is_event(message)
}

/// Whether a plain event begins a run of LangGraph: one of the protocol may begin anywhere.
pub(in crate::translate) fn begins(message: &Object) -> bool {
    let is_root = |message: &Object| {
        message.get("event").and_then(Value::as_str) == Some("on_chain_start")
            && message
                .get("parent_ids")
                .and_then(Value::as_array)
                .is_some_and(Vec::is_empty)
    };
    is_of_protocol(message) || (is_event(message) && is_root(message))
}
