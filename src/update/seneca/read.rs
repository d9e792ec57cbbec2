//! Lenient readers of an event's facts: a key that is missing or of another type is absent, never an error.

use serde_json::Value;

use crate::event::{Event, Object};

/// The non-empty string at `key`.
pub(crate) fn text<'a>(object: &'a Object, key: &str) -> Option<&'a str> {
    object
        .get(key)
        .and_then(Value::as_str)
        .filter(|s| !s.is_empty())
}

/// The first non-empty string among `keys`.
pub(crate) fn first_text<'a>(object: &'a Object, keys: &[&str]) -> Option<&'a str> {
    keys.iter().find_map(|key| text(object, key))
}

/// The object at `key`.
pub(crate) fn object<'a>(from: &'a Object, key: &str) -> Option<&'a Object> {
    from.get(key).and_then(Value::as_object)
}

/// The number at `key`.
pub(crate) fn number(object: &Object, key: &str) -> Option<f64> {
    object.get(key).and_then(Value::as_f64)
}

/// The first whole number among `keys`.
pub(crate) fn first_count(object: &Object, keys: &[&str]) -> Option<u64> {
    keys.iter()
        .find_map(|key| object.get(*key).and_then(Value::as_u64))
}

/// The value at `key`, or `fallback` if it is absent or null.
pub(crate) fn value_or(object: &Object, key: &str, fallback: Value) -> Value {
    match object.get(key) {
        None | Some(Value::Null) => fallback,
        Some(value) => value.clone(),
    }
}

/// The object at `key` as a value; anything else is an empty object, because pages look inside without asking.
pub(crate) fn object_or_empty(from: &Object, key: &str) -> Value {
    Value::Object(object(from, key).cloned().unwrap_or_default())
}

/// A value for people: a string bare, anything else as JSON.
pub(crate) fn plain(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

/// A value as the pages print it, if it is text or a number: anything else would not be readable.
pub(crate) fn shown(value: &Value) -> Option<String> {
    match value {
        Value::String(text) if !text.trim().is_empty() => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}

/// The first such value among `keys`.
pub(crate) fn first_shown(object: &Object, keys: &[&str]) -> Option<String> {
    keys.iter().find_map(|key| shown(object.get(*key)?))
}

/// A score as a number; careless producers write it as a string. A word (`high`) is no score: the pages would print
/// `NaN`.
pub(crate) fn score(value: &Value) -> Option<f64> {
    match value {
        Value::Number(number) => number.as_f64(),
        Value::String(text) => text.trim().parse().ok(),
        _ => None,
    }
    .filter(|score: &f64| score.is_finite())
}

/// The confidence of a decision, in either spelling.
pub(crate) fn confidence(data: &Object) -> Option<f64> {
    CONFIDENCE
        .iter()
        .find_map(|key| data.get(*key).and_then(score))
}

/// The keys of a confidence.
pub(crate) const CONFIDENCE: [&str; 2] = ["confidence_score", "confidence"];

/// The text of a decision: always a string, because the page that shows it throws on anything else.
pub(crate) fn decision_text(data: &Object) -> String {
    ["decision", "what"]
        .iter()
        .filter_map(|key| data.get(*key))
        .find(|value| !value.is_null() && value.as_str() != Some(""))
        .map(plain)
        .unwrap_or_default()
}

/// The agent that the event names.
pub(crate) fn agent(event: &Event) -> Option<&str> {
    event.agent_id()
}

/// The task that the event names.
pub(crate) fn task(event: &Event) -> Option<&str> {
    event.task_id()
}

/// The name of that task, if the event says it.
pub(crate) fn task_name(event: &Event) -> Option<&str> {
    first_text(&event.data, &["task_name", "taskName"]).or_else(|| {
        ["task_details", "task"]
            .iter()
            .find_map(|key| object(&event.data, key).and_then(|task| text(task, "name")))
    })
}

/// The workflow or agent run that the event names.
pub(crate) fn run(event: &Event) -> Option<&str> {
    event.execution_id().or(event.run_id())
}

/// The project that the event belongs to.
pub(crate) fn project(event: &Event) -> Option<&str> {
    event.project_id.as_deref()
}

/// The project's name, if the event says it.
pub(crate) fn project_name(event: &Event) -> Option<&str> {
    text(&event.data, "project_name").or_else(|| {
        ["metadata", "data", "project_state"]
            .iter()
            .find_map(|key| object(&event.data, key).and_then(|part| text(part, "project_name")))
    })
}

/// A number with four decimals: sums of floats must not make two equal states look different.
pub(crate) fn rounded(value: f64) -> Value {
    Value::from((value * 10_000.0).round() / 10_000.0)
}
