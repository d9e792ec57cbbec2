//! Calls of tools, as their events tell them.

use std::borrow::Cow;

use serde_json::Value;

use crate::event::{EventName, Object};

/// Characters of the arguments and of the result that an update has beside its data, for a line that people read.
const PREVIEW_CHARS: usize = 200;

/// The keys of a call's id and of its tool's name.
const CALL: [&str; 2] = ["tool_call_id", "toolCallId"];
const NAME: [&str; 3] = ["tool_name", "toolName", "tool"];

/// The name of the tool.
pub(crate) fn tool_name(data: &Object) -> Option<&str> {
    let names = NAME.iter().filter_map(|key| data.get(*key)?.as_str());
    names.into_iter().find(|name| !name.is_empty())
}

/// The id of the call; the tool's name stands for one that has none.
pub(crate) fn tool_call_id(data: &Object) -> Option<Cow<'_, str>> {
    let said = CALL.iter().find_map(|key| match data.get(*key)? {
        Value::String(id) if !id.is_empty() => Some(Cow::from(id)),
        Value::Number(id) => Some(id.to_string().into()),
        _ => None,
    });
    said.or_else(|| tool_name(data).map(Cow::from))
}

/// The status of a call after an event of it; none for other events of the family.
pub(crate) fn tool_status(name: &EventName) -> Option<&'static str> {
    match name.canonical().strip_prefix("tool.")? {
        "started" | "progress" => Some("running"),
        "completed" => Some("completed"),
        "failed" => Some("failed"),
        "cancelled" | "canceled" => Some("cancelled"),
        _ => None,
    }
}

/// The beginning of a value, as text.
pub(super) fn preview(value: Option<&Value>) -> Option<String> {
    let cut = |text: &str| text.chars().take(PREVIEW_CHARS).collect();
    match value? {
        Value::Null => None,
        Value::String(text) => Some(cut(text)),
        value => Some(cut(&value.to_string())),
    }
}
