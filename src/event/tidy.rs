//! Mends values that honest producers write beside the contract and that have one evident meaning: `progress: "50%"`, a
//! name with a newline at its end, a status as a number. Nothing is guessed: a value that may mean two things is left
//! to the checks.

use serde_json::Value;

use super::{Object, Priority, check, folded, ids};

/// The number of mended values, by their oddity: see `stoa_input_mended_total`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Tidied {
    /// Ids and names with white space around them.
    pub trimmed: usize,
    /// Numbers that were written as text.
    pub numbers: usize,
    /// Texts that were written as numbers.
    pub texts: usize,
    /// Unknown priorities; the event has the one of its type.
    pub priorities: usize,
}

impl Tidied {
    /// The number of mended values of each kind, by the counter's names.
    pub fn each(self) -> impl Iterator<Item = (&'static str, usize)> {
        [
            ("white_space", self.trimmed),
            ("number_as_text", self.numbers),
            ("text_as_number", self.texts),
            ("priority", self.priorities),
        ]
        .into_iter()
        .filter(|(_, count)| *count > 0)
    }
}

/// The keys of an event's own name and id.
const OWN: [&str; 6] = [
    "type",
    "event_type",
    "event",
    "id",
    "event_id",
    "update_type",
];

/// Mends an event before it is read.
pub fn tidy(event: &mut Value) -> Tidied {
    let mut tidied = Tidied::default();
    let Value::Object(object) = event else {
        return tidied;
    };
    for key in OWN {
        if let Some(value) = object.get_mut(key) {
            trim(value, &mut tidied);
        }
    }
    // Of events without a row in a table only the ids are known: elsewhere a status may be anything.
    let name = ["type", "event_type", "event"].map(|key| object.get(key).and_then(Value::as_str));
    let name = folded(name.into_iter().flatten().next().unwrap_or_default());
    let known = check::is_known(name.split('.').next().unwrap_or_default());
    if object.get("data").is_some_and(Value::is_null) {
        object.remove("data");
    }
    if object.contains_key("data")
        && let Some(Value::String(_) | Value::Number(_)) = object.get("priority")
        && Priority::read(object.get("priority")).is_none()
    {
        tidied.priorities += 1;
    }
    facts(object, known, &mut tidied, 0);
    tidied
}

/// Mends the facts of an object and of the subjects in it.
fn facts(object: &mut Object, known: bool, tidied: &mut Tidied, depth: usize) {
    /// `data`, and in it `run`, `task` and the like.
    const DEPTH: usize = 2;
    for (key, value) in object {
        match value {
            Value::Object(inner) if depth < DEPTH && (key == "data" || ids::is_subject(key)) => {
                facts(inner, known, tidied, depth + 1);
            }
            Value::String(_) | Value::Number(_) => fact(key, value, known, tidied),
            _ => {}
        }
    }
}

fn fact(key: &str, value: &mut Value, known: bool, tidied: &mut Tidied) {
    match check::form(key) {
        Some(check::Form::Id) => trim(value, tidied),
        Some(check::Form::Name) if known || key.ends_with("_name") => match value {
            Value::Number(number) => {
                *value = number.to_string().into();
                tidied.texts += 1;
            }
            _ => trim(value, tidied),
        },
        Some(check::Form::Number) if known => {
            if let Some(number) = value.as_str().and_then(number) {
                *value = number;
                tidied.numbers += 1;
            }
        }
        _ => {}
    }
}

/// Reads `50`, `50.5` and `50 %` as numbers.
fn number(text: &str) -> Option<Value> {
    let text = text.trim();
    let text = text.strip_suffix('%').unwrap_or(text).trim_end();
    let read: Value = serde_json::from_str(text).ok()?;
    read.is_number().then_some(read)
}

fn trim(value: &mut Value, tidied: &mut Tidied) {
    if let Value::String(text) = value
        && text.trim().len() != text.len()
    {
        *text = text.trim().to_owned();
        tidied.trimmed += 1;
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_has_one_evident_meaning_is_put_right() {
        let mut event = json!({
            "type": " task.progress\n", "id": "e1 ", "source": "Market Researcher\n", "data": {
                "task_id": "\tt1", "task_name": "Find\nit\n", "progress": "50%", "status": 200,
                "run": { "id": "r1", "run_id": " r1", "status": "on " }, "message": " as it is " }
        });
        let tidied = tidy(&mut event);
        assert_eq!(
            event,
            json!({
                "type": "task.progress", "id": "e1", "source": "Market Researcher", "data": {
                    "task_id": "t1", "task_name": "Find\nit", "progress": 50, "status": "200",
                    "run": { "id": "r1", "run_id": "r1", "status": "on" }, "message": " as it is " }
            })
        );
        let expected = Tidied {
            trimmed: 7,
            numbers: 1,
            texts: 1,
            priorities: 0,
        };
        assert_eq!(tidied, expected);
        assert_eq!(tidy(&mut event), Tidied::default(), "once is enough");
    }

    #[test]
    fn the_rest_stays_as_it_was_said() {
        for event in [
            json!({ "type": "http.request", "data": { "status": 200, "progress": "50%" } }),
            json!({ "type": "task.progress", "data": { "progress": "half", "status": ["a"] } }),
            json!({ "type": "task.progress", "data": { "progress": "NaN", "total_nodes": "0x10" } }),
            json!({ "type": "task.done", "data": { "note": " a ", "inner": { "task_id": " t " } } }),
            json!(["a ", 1]),
            json!("a "),
        ] {
            let mut tidied = event.clone();
            assert_eq!(tidy(&mut tidied), Tidied::default(), "{event}");
            assert_eq!(tidied, event);
        }
        let mut event = json!({ "type": "a.b", "data": null });
        tidy(&mut event);
        assert_eq!(event, json!({ "type": "a.b" }));
        let mut event = json!({ "type": "a.b", "data": {}, "priority": "urgent" });
        assert_eq!(tidy(&mut event).priorities, 1);
    }
}
