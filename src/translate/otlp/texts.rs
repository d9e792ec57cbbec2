//! Texts in the messages of a span.

use serde_json::Value;

use super::{
    span::Span,
    table::Fact::{FirstInput, FirstOutput, Input, Output},
};

/// The texts and the thoughts of a model's answer.
pub(super) fn answer(span: &Span) -> (String, String) {
    let (mut text, mut thought) = (String::new(), String::new());
    if let Some(messages) = span.value(Output).and_then(list) {
        for part in messages.iter().flat_map(parts) {
            match part.get("type").and_then(Value::as_str) {
                Some("thinking" | "reasoning") => thought.push_str(&said(part)),
                Some("text") => text.push_str(&said(part)),
                _ => {}
            }
        }
    }
    if text.is_empty() {
        text = span.text(FirstOutput).unwrap_or_default().to_owned();
    }
    (text, thought)
}

/// The first text of the person or agent that asks.
pub(super) fn question(span: &Span) -> Option<String> {
    let messages = span.value(Input).and_then(list).unwrap_or_default();
    let asked = messages
        .iter()
        .filter(|message| message.get("role").and_then(Value::as_str) == Some("user"));
    let text = asked
        .flat_map(parts)
        .map(said)
        .find(|text| !text.trim().is_empty());
    text.or_else(|| span.text(FirstInput).map(str::to_owned))
}

/// A list, also one that is written as text.
fn list(value: &Value) -> Option<Vec<Value>> {
    match value {
        Value::Array(items) => Some(items.clone()),
        Value::String(text) => serde_json::from_str(text).ok(),
        _ => None,
    }
}

fn parts(message: &Value) -> &[Value] {
    let parts = message.get("parts").or_else(|| message.get("content"));
    parts.and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

fn said(part: &Value) -> String {
    let text = part.get("content").or_else(|| part.get("text"));
    text.and_then(Value::as_str).unwrap_or_default().to_owned()
}
