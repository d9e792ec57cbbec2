//! The probable meaning of a value that is no event: frameworks have shapes of their own, and a producer that sends one
//! as it is should be told more than that a key is missing.

use serde_json::Value;

use super::Object;

/// The advice for an event of one's own.
const ANY: &str = "add \"type\": \"task.completed\" or the like";

/// The sentence for an object without a type.
pub(super) fn without_type(object: &Object) -> String {
    let has = |key: &str| object.contains_key(key);
    let text = |key: &str| object.get(key).and_then(Value::as_str);
    let inside = |key: &str, inner: &str| object.get(key).is_some_and(|v| v.get(inner).is_some());
    let meant = if has("event_kind") {
        "a Pydantic-AI event (event_kind): it doesn't say which agent and which run it is about; send the adapter's events instead"
    } else if text("object").is_some_and(|object| object.starts_with("trace")) {
        "a trace or span of OpenAI Agents (object: trace.span): send the events of a trace processor instead, such as {\"type\": \"agent.status.changed\", \"data\": {..}}"
    } else if has("resourceSpans")
        || inside("context", "trace_id")
        || (has("traceId") && has("spanId"))
    {
        "an OpenTelemetry span (resourceSpans, context.trace_id): spans are not taken as events, send the adapter's events instead"
    } else if has("jsonrpc") {
        "a JSON-RPC message of MCP (jsonrpc): send what it means, such as {\"type\": \"tool.started\", \"data\": {\"tool_name\": \"search\"}}"
    } else if has("content") && (has("role") || has("class")) {
        "a message (role and content): send it as {\"type\": \"agent.message.appended\", \"data\": {\"message_id\": \"m1\", \"role\": \"assistant\", \"content\": \"..\"}}"
    } else if has("ns") || has("langgraph_node") {
        "a part of a LangGraph stream: send the adapter's events instead"
    } else {
        return format!("the event has no type: {ANY}");
    };
    format!("the event has no type: this looks like {meant}")
}

/// The modes of LangGraph's streams.
const MODES: [&str; 7] = [
    "values",
    "updates",
    "messages",
    "custom",
    "checkpoints",
    "tasks",
    "debug",
];

/// The sentence for something that is no object.
pub(super) fn no_object(value: &Value) -> String {
    let form = "an event is a JSON object: {\"type\": \"task.completed\", \"data\": {..}}";
    let meant = match value {
        Value::String(text) if MODES.contains(&text.as_str()) => true,
        Value::Array(items) => items.iter().all(Value::is_string) || is_stream_part(items),
        _ => false,
    };
    match meant {
        true => format!(
            "{form}; a list [namespace, mode, data] looks like a part of a LangGraph stream: send the adapter's events instead"
        ),
        false => form.to_owned(),
    }
}

fn is_stream_part(items: &[Value]) -> bool {
    let mode = |value: &Value| value.as_str().is_some_and(|text| MODES.contains(&text));
    items.iter().take(2).any(mode)
}

/// The end of a sentence about `data` that is no object.
pub(super) fn no_data(data: &Value, object: &Object) -> &'static str {
    match data {
        Value::Array(_) if object.contains_key("ns") => {
            ": this looks like a part of a LangGraph stream, of which the adapter's events are sent instead"
        }
        Value::Array(_) => ": name what it holds, such as {\"items\": [..]}",
        Value::String(_) => {
            ": name what it says, such as {\"message\": \"..\"} (Python's default=str makes a string of an object)"
        }
        _ => "",
    }
}
