//! The checks of an event beyond those that are needed to read it (`[content_filtering]`).
//!
//! They refuse only what no honest producer sends: a well-known field of a type that every reader would stumble over,
//! and an id with control characters, by which nobody could find a thing again. Names are often written by models, so
//! they may hold any character: code that writes a name into a line makes it one line. Text may hold any character, too
//! (terminals colour it with control characters). Unknown fields are not checked, and of events without a row in the
//! transformation only the ids are: elsewhere a `status` may well be 200.

use serde_json::Value;

use super::{Event, Object, ids};
use crate::error::Error;

/// The form of a well-known field. `null` is as good as absent everywhere.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    /// A number.
    Number,
    /// A string.
    Text,
    /// A string that names a thing.
    Name,
    /// A string or number without control characters.
    Id,
}

impl Form {
    fn in_words(self) -> &'static str {
        match self {
            Self::Number => "a number",
            Self::Text | Self::Name => "a string",
            Self::Id => "a string or a number",
        }
    }

    fn fits(self, value: &Value) -> bool {
        match self {
            Self::Number => value.is_number(),
            Self::Text | Self::Name => value.is_string(),
            Self::Id => value.is_string() || value.is_number(),
        }
    }
}

/// The form of a well-known field; `None` for all others.
pub(super) fn form(key: &str) -> Option<Form> {
    Some(match key {
        "progress"
        | "progress_percent"
        | "progress_percentage"
        | "completed_nodes"
        | "total_nodes" => Form::Number,
        "errorMessage" | "blocker_description" => Form::Text,
        "status" | "new_status" | "old_status" | "severity" | "agent_name" | "task_name"
        | "project_name" | "node_name" | "nodeName" | "source" => Form::Name,
        "target_id" => Form::Id,
        key if ids::is_id(key) => Form::Id,
        _ => return None,
    })
}

/// The families whose fields mean what the contract says.
const FAMILIES: [&str; 18] = [
    "agent",
    "artifact",
    "blocker",
    "decision",
    "execution",
    "ingest",
    "input",
    "kanban",
    "plan",
    "pm",
    "progress",
    "project",
    "system",
    "task",
    "tool",
    "visual",
    "worker",
    "workflow",
];

/// The family of an event as counters name it: one of a fixed set, or `other`.
pub fn family_label(family: &str) -> &'static str {
    let known = FAMILIES.into_iter().find(|known| *known == family);
    known.unwrap_or("other")
}

/// Whether the events of a family mean what the contract says.
pub(super) fn is_known(family: &str) -> bool {
    FAMILIES.contains(&family)
}

/// Checks an event that could be read.
///
/// # Errors
/// `invalid_data`, naming the field and what it may be.
pub fn check(event: &Event) -> Result<(), Error> {
    let own = [
        ("id", Some(&*event.id)),
        ("project_id", event.project_id.as_deref()),
    ];
    for (field, text) in own {
        if text.is_some_and(has_control) {
            return Err(controls(field));
        }
    }
    let known = FAMILIES.contains(&event.name.family());
    fields(&event.data, "data", known)?;
    for (key, value) in &event.data {
        if let Value::Object(inner) = value
            && ids::is_subject(key)
        {
            own_id(inner, key)?;
            fields(inner, key, known)?;
        }
    }
    Ok(())
}

fn fields(object: &Object, place: &str, known: bool) -> Result<(), Error> {
    for (key, value) in object {
        if let Some(form) = form(key)
            && (known || form == Form::Id)
        {
            field(place, key, value, form)?;
        }
    }
    Ok(())
}

/// The `id` of a subject is its own; beside other facts it may be anything.
fn own_id(subject: &Object, place: &str) -> Result<(), Error> {
    subject
        .get("id")
        .map_or(Ok(()), |id| field(place, "id", id, Form::Id))
}

fn field(place: &str, key: &str, value: &Value, form: Form) -> Result<(), Error> {
    if value.is_null() {
        return Ok(());
    }
    if !form.fits(value) {
        return Err(Error::new(
            "invalid_data",
            format!(
                "{place}.{key} must be {}, not {} ([content_filtering] validate_message_format)",
                form.in_words(),
                super::fields::kind(value)
            ),
        ));
    }
    if form == Form::Id && value.as_str().is_some_and(has_control) {
        return Err(controls(&format!("{place}.{key}")));
    }
    Ok(())
}

fn has_control(text: &str) -> bool {
    text.chars().any(char::is_control)
}

fn controls(field: &str) -> Error {
    Error::new(
        "invalid_data",
        format!(
            "{field} has a control character inside; ids are one line of text ([content_filtering] validate_message_format)"
        ),
    )
}

/// Whether an event has more values than `max`, in all its objects and lists together. `bytes` is the length of its
/// text, as far as that is known: a value takes two bytes at least, so short events are not even counted.
pub fn elements_exceed(value: &Value, bytes: usize, max: usize) -> bool {
    if bytes / 2 <= max {
        return false;
    }
    let mut left = max;
    let mut open = vec![value];
    while let Some(value) = open.pop() {
        let inside = match value {
            Value::Array(items) => items.len(),
            Value::Object(fields) => fields.len(),
            _ => continue,
        };
        let Some(rest) = left.checked_sub(inside) else {
            return true;
        };
        left = rest;
        let nested = |v: &&Value| v.is_array() || v.is_object();
        match value {
            Value::Array(items) => open.extend(items.iter().filter(nested)),
            Value::Object(fields) => open.extend(fields.values().filter(nested)),
            _ => {}
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    use crate::event::{ParseContext, parse};
    use crate::timestamp::Timestamp;

    fn read(value: Value) -> Event {
        let context = ParseContext {
            now: Timestamp::from_micros(0),
            producer: "tester",
            max_depth: 32,
        };
        parse(value, &context).expect("can be read")
    }

    #[test]
    fn a_wrong_field_is_named() {
        for (data, field) in [
            (json!({ "progress": "half" }), "data.progress"),
            (json!({ "progress": { "done": 3 } }), "data.progress"),
            (json!({ "task_id": { "id": 1 } }), "data.task_id"),
            (json!({ "agent_id": ["a"] }), "data.agent_id"),
            (json!({ "run_id": true }), "data.run_id"),
            (json!({ "status": 3 }), "data.status"),
            (json!({ "total_nodes": "3" }), "data.total_nodes"),
            (json!({ "agent_id": "a\nb" }), "data.agent_id"),
            (json!({ "run": { "id": {} } }), "run.id"),
            (json!({ "nodeState": { "status": [] } }), "nodeState.status"),
            (json!({ "task": { "task_id": "t\u{0}" } }), "task.task_id"),
            (json!({ "errorMessage": 5 }), "data.errorMessage"),
        ] {
            let event = read(json!({ "type": "task.updated", "data": data }));
            let rejection = check(&event).expect_err(field);
            assert_eq!(rejection.code, "invalid_data");
            assert!(
                rejection.message.contains(field)
                    && rejection.message.contains("validate_message_format"),
                "{rejection}"
            );
        }
        for envelope in [
            json!({ "type": "a.b", "data": {}, "id": "e\t1" }),
            json!({ "type": "a.b", "data": {}, "project_id": "p\u{7f}" }),
        ] {
            assert_eq!(check(&read(envelope)).unwrap_err().code, "invalid_data");
        }
    }

    #[test]
    fn what_honest_producers_send_is_taken() {
        for data in [
            json!({ "task_name": "Find\nit", "agent_name": "a\u{1b}[2J", "source": "a\u{85}b" }),
            json!({ "progress": null, "task_id": 17, "agent_id": "ä ü", "status": "" }),
            json!({ "message": "line\nline\ttab \u{1b}[32mgreen\u{1b}[0m", "level": 30 }),
            json!({ "progress": 30.5, "run": "r1", "task": "t", "job": [1] }),
            json!({ "decision": { "any": "thing" }, "confidence_score": "high", "content": [{ "type": "text" }] }),
            json!({ "id": { "oid": "x" }, "skills": 3 }),
        ] {
            assert_eq!(
                check(&read(json!({ "type": "task.updated", "data": data }))),
                Ok(())
            );
        }
        // Events without a row in the transformation may use these words freely, but ids are ids.
        let foreign = json!({ "status": 200, "progress": { "done": 3 }, "severity": 4 });
        assert_eq!(
            check(&read(json!({ "type": "http.request", "data": foreign }))),
            Ok(())
        );
        let foreign = json!({ "agent_id": {} });
        assert!(check(&read(json!({ "type": "http.request", "data": foreign }))).is_err());
    }

    #[test]
    fn every_line_of_the_real_streams_passes() {
        for (file, lines) in [("marcus-events", 1_424), ("marcus-conversations", 859)] {
            let text = std::fs::read_to_string(format!("tests/data/{file}.jsonl")).unwrap();
            let values = text.lines().map(|line| serde_json::from_str(line).unwrap());
            let passed = values.filter(|value: &Value| check(&read(value.clone())) == Ok(()));
            assert_eq!(passed.count(), lines);
        }
    }

    #[test]
    fn values_are_counted_in_all_places_together() {
        let value = json!({ "a": [1, 2, { "b": [3] }], "c": null });
        let len = value.to_string().len();
        // a, c, 1, 2, the object in the list, b, 3.
        for (max, exceed) in [(6, true), (7, false), (8, false)] {
            assert_eq!(elements_exceed(&value, 1_000, max), exceed, "{max}");
        }
        assert!(!elements_exceed(&value, len, 100));
        // The shortcut never lets an event through that the count would refuse: nothing is denser than this list.
        let dense = Value::from(vec![1; 50]);
        let len = dense.to_string().len();
        for max in 0..60 {
            assert_eq!(elements_exceed(&dense, len, max), max < 50, "{max}");
        }
    }
}
