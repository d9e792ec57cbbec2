//! One update as one line for people.

use serde_json::{Map, Value};

use crate::cli::plain::plain;

/// The most characters about an update at the end of its line.
const MAX_ABOUT: usize = 100;
/// The keys under which updates say in words or numbers what happened, the most telling first.
const TELLING: [&str; 14] = [
    "status",
    "progress",
    "change_type",
    "task_name",
    "name",
    "decision",
    "content",
    "message",
    "severity",
    "level",
    "stage",
    "current_node",
    "error",
    "update_type",
];

/// `12:00:03.500  normal    agent_update          agent:backend_1  active, 40%`.
pub(super) fn line(name: &str, update: &Value) -> String {
    let text = |key: &str| update.get(key).and_then(Value::as_str).unwrap_or_default();
    let mut line = format!(
        "{:<12}  {:<8}  {:<20}  {:<20}  {}",
        clock(text("timestamp")),
        plain(text("priority"), 8),
        plain(name, 40),
        plain(&target(update), 60),
        about(update)
    );
    if let Some(count) = update.get("coalesced").and_then(Value::as_u64) {
        line = format!("{}  (×{count})", line.trim_end());
    }
    line.truncate(line.trim_end().len());
    line
}

/// The time of day, in UTC as everywhere on the wire.
fn clock(timestamp: &str) -> String {
    timestamp.parse::<jiff::Timestamp>().map_or_else(
        |_| plain(timestamp, 12),
        |time| time.strftime("%H:%M:%S%.3f").to_string(),
    )
}

/// The subject of the update: `kind:id`.
fn target(update: &Value) -> String {
    let part = |key: &str| update.pointer(key).and_then(Value::as_str);
    match (part("/hint/target/kind"), part("/hint/target/id")) {
        (Some(kind), Some(id)) => format!("{kind}:{id}"),
        (Some(kind), None) => kind.to_owned(),
        _ => String::new(),
    }
}

fn about(update: &Value) -> String {
    let nothing = Map::new();
    let top = update.as_object().unwrap_or(&nothing);
    let data = update
        .get("data")
        .and_then(Value::as_object)
        .unwrap_or(&nothing);
    let mut parts = Vec::new();
    let said = |key: &str| top.get(key).or_else(|| data.get(key));
    match (said("old_status"), said("new_status")) {
        (Some(Value::String(old)), Some(Value::String(new))) => {
            parts.push(format!("{old} → {new}"));
        }
        (_, Some(Value::String(new))) => parts.push(new.clone()),
        _ => {}
    }
    for key in TELLING {
        let Some(value) = said(key) else {
            continue;
        };
        let part = match value {
            Value::String(text) if !text.is_empty() => text.clone(),
            Value::Number(number) if key == "progress" => format!("{number}%"),
            Value::Number(number) => number.to_string(),
            _ => continue,
        };
        if !parts.contains(&part) {
            parts.push(part);
        }
        if parts.len() == 3 {
            break;
        }
    }
    plain(&parts.join(", "), MAX_ABOUT)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_line_says_when_what_and_about_whom() {
        let update = json!({
            "timestamp": "2026-05-23T12:00:03.500Z", "priority": "normal", "coalesced": 3,
            "hint": { "target": { "kind": "agent", "id": "backend_1" } },
            "data": { "status": "active", "progress": 40, "change_type": "active" },
        });
        assert_eq!(
            line("agent_update", &update),
            "12:00:03.500  normal    agent_update          agent:backend_1       active, 40%  (×3)"
        );
        let change = json!({ "timestamp": "2026-05-23T14:00:03.5+02:00", "old_status": "idle", "new_status": "active" });
        assert!(line("agent_status_change", &change).starts_with("12:00:03.500"));
        assert!(line("agent_status_change", &change).ends_with("idle → active"));
    }

    #[test]
    fn whatever_comes_is_one_harmless_line() {
        for update in [
            json!(null),
            json!([1]),
            json!({ "timestamp": 3, "data": "x" }),
            json!({ "message": "a\nb\u{1b}[31m" }),
        ] {
            let line = line("any\nthing", &update);
            assert!(!line.contains(['\n', '\u{1b}']), "{line}");
        }
    }
}
