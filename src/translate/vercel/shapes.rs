//! The shapes of parts, told from plain events.

use serde_json::Value;

use crate::event::Object;

/// The types of parts that no other system has.
const OWN: [&str; 21] = [
    "text-start",
    "text-delta",
    "text-end",
    "reasoning-start",
    "reasoning-delta",
    "reasoning-end",
    "tool-input-start",
    "tool-input-delta",
    "tool-input-available",
    "tool-input-error",
    "tool-output-available",
    "tool-output-error",
    "tool-output-denied",
    "tool-approval-request",
    "tool-approval-response",
    "source-url",
    "source-document",
    "start-step",
    "finish-step",
    "message-metadata",
    "reasoning-file",
];

/// The types with an everyday name, and the fields that a part of that type may have.
const EVERYDAY: [(&str, &[&str]); 5] = [
    ("start", &["messageId", "messageMetadata"]),
    ("finish", &["finishReason", "messageMetadata"]),
    ("abort", &["reason"]),
    ("error", &["errorText"]),
    ("file", &["url", "mediaType", "providerMetadata"]),
];

fn kind(message: &Object) -> &str {
    message
        .get("type")
        .and_then(Value::as_str)
        .unwrap_or_default()
}

/// Whether a plain event is a part of such a stream.
pub(in crate::translate) fn speaks(message: &Object) -> bool {
    let kind = kind(message);
    if OWN.contains(&kind) {
        return !message.contains_key("data");
    }
    // An application's data has a `data` of its own.
    if kind.starts_with("data-") {
        return message.contains_key("data");
    }
    let everyday = EVERYDAY.iter().find(|(name, _)| *name == kind);
    everyday.is_some_and(|(_, fields)| {
        // Whoever follows a file has named its lines.
        let named = ["type", "id", "event_id"];
        let mut keys = message.keys().filter(|key| !named.contains(&key.as_str()));
        keys.all(|key| fields.contains(&key.as_str()))
    })
}

/// Whether a plain event begins such a stream, or a step of one.
pub(in crate::translate) fn begins(message: &Object) -> bool {
    let is_start = matches!(
        kind(message),
        "start-step" | "text-start" | "reasoning-start" | "tool-input-start"
    );
    speaks(message) && (is_start || (kind(message) == "start" && message.contains_key("messageId")))
}

/// Whether a plain event may begin such a stream: the one after it tells.
pub(in crate::translate) fn perhaps_begins(message: &Object) -> bool {
    kind(message) == "start" && speaks(message)
}
