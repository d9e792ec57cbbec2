//! The level of a notification.

use serde_json::Value;

use crate::event::{Event, Object};

/// `info`, `warning`, `error` or `critical`.
pub(super) fn notification_level(event: &Event) -> &'static str {
    let text = |object: &Object, key: &str| {
        object
            .get(key)
            .and_then(Value::as_str)
            .map(str::to_ascii_lowercase)
    };
    let said = text(&event.data, "level")
        .or_else(|| text(&event.data, "severity"))
        .or_else(|| text(&event.metadata, "severity"));
    let name = event.name.canonical();
    let by_name = if name.split('.').any(|s| s == "error" || s == "failed") {
        "error"
    } else if name == "warning" {
        "warning"
    } else {
        "info"
    };
    match said.as_deref() {
        Some("critical" | "fatal") => "critical",
        // An error of medium severity is still an error.
        _ if by_name == "error" => "error",
        Some("error" | "high") if name != "warning" => "error",
        Some("warning" | "warn" | "medium" | "high") => "warning",
        Some("info" | "debug") => "info",
        _ => by_name,
    }
}
