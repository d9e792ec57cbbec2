//! The types of events.

use serde_json::Value;

use crate::{event::Object, translate::fields::text};

/// The types of AG-UI 1.0.
pub(super) const TYPES: [&str; 31] = [
    "TEXT_MESSAGE_START",
    "TEXT_MESSAGE_CONTENT",
    "TEXT_MESSAGE_END",
    "TEXT_MESSAGE_CHUNK",
    "TOOL_CALL_START",
    "TOOL_CALL_ARGS",
    "TOOL_CALL_END",
    "TOOL_CALL_CHUNK",
    "TOOL_CALL_RESULT",
    "STATE_SNAPSHOT",
    "STATE_DELTA",
    "MESSAGES_SNAPSHOT",
    "ACTIVITY_SNAPSHOT",
    "ACTIVITY_DELTA",
    "RAW",
    "CUSTOM",
    "RUN_STARTED",
    "RUN_FINISHED",
    "RUN_ERROR",
    "STEP_STARTED",
    "STEP_FINISHED",
    "REASONING_START",
    "REASONING_MESSAGE_START",
    "REASONING_MESSAGE_CONTENT",
    "REASONING_MESSAGE_END",
    "REASONING_MESSAGE_CHUNK",
    "REASONING_END",
    "REASONING_ENCRYPTED_VALUE",
    "SUBAGENT_STARTED",
    "SUBAGENT_FINISHED",
    "SUBAGENT_ERROR",
];

/// Types in which a chunk may go on: they are no part of the conversation.
pub(super) const BESIDE: [&str; 7] = [
    "STATE_SNAPSHOT",
    "STATE_DELTA",
    "MESSAGES_SNAPSHOT",
    "ACTIVITY_SNAPSHOT",
    "ACTIVITY_DELTA",
    "RAW",
    "REASONING_ENCRYPTED_VALUE",
];

/// Whether a plain event is one of AG-UI's.
pub(in crate::translate) fn speaks(message: &Object) -> bool {
    let kind = message.get("type").and_then(Value::as_str);
    kind.is_some_and(|kind| TYPES.contains(&kind)) && !message.contains_key("data")
}

/// Whether a plain event begins a run of AG-UI.
pub(in crate::translate) fn begins(message: &Object) -> bool {
    speaks(message)
        && message.get("type").and_then(Value::as_str) == Some("RUN_STARTED")
        && text(message, "runId").is_some()
}
