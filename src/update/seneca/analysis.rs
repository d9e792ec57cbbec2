//! A producer's own analysis of the health, made fit to be shown.
//!
//! The Health tab prints these fields without asking whether they are there, and a wrong shape leaves the whole tab
//! blank. So fields that cannot be shown are dropped, missing ones are filled in, and all others are kept.

use serde_json::Value;

use crate::{
    event::{Object, held_by_object},
    update::seneca::read,
};

/// The lists that a producer may bring.
pub(crate) const LISTS: [&str; 3] = ["risk_factors", "recommendations", "resource_optimization"];
/// The forecast that it may bring.
pub(crate) const TIMELINE: &str = "timeline_prediction";
/// The fields of the forecast that the tab reads.
const FORECAST: [&str; 4] = [
    "on_track",
    "confidence",
    "estimated_completion",
    "critical_path_risks",
];
/// Entries of a list that are kept, because each reading is kept for long.
const MAX_ENTRIES: usize = 100;

/// The fields of one list's entries.
struct Shape {
    /// The keys of an entry's words; an entry without words is dropped. The tab reads the first key.
    words: &'static [&'static str],
    /// The other fields that the tab reads, with their values if the producer says nothing.
    rest: &'static [(&'static str, &'static str)],
}

/// The parts of a producer's report that the tab can show. Of a forecast that holds more than `most` bytes only the fields
/// that the tab reads are taken.
pub(crate) fn own(data: &Object, most: usize) -> Object {
    let mut own = Object::new();
    for key in LISTS {
        let Some(Value::Array(given)) = data.get(key) else {
            continue;
        };
        let shape = shape(key);
        let shown: Vec<Value> = given
            .iter()
            .filter_map(|entry| shape.entry(entry))
            .take(MAX_ENTRIES)
            .collect();
        // An empty list says that there is nothing; a list without an entry that can be shown says nothing at all.
        if given.is_empty() || !shown.is_empty() {
            own.insert(key.into(), shown.into());
        }
    }
    if let Some(given) = read::object(data, TIMELINE) {
        own.insert(TIMELINE.into(), timeline(given, most).into());
    }
    own
}

/// Drops the fields that the tab does not read.
pub(super) fn keep_what_is_read(own: &mut Object) {
    for key in LISTS {
        let shape = shape(key);
        let entries = own.get_mut(key).and_then(Value::as_array_mut);
        for entry in entries.into_iter().flatten() {
            if let Value::Object(entry) = entry {
                let read = |key: &str| shape.rest.iter().any(|(rest, _)| *rest == key);
                entry.retain(|key, _| *key == shape.words[0] || read(key));
            }
        }
    }
    if let Some(Value::Object(timeline)) = own.get_mut(TIMELINE) {
        timeline.retain(|key, _| FORECAST.contains(&key.as_str()));
    }
}

fn shape(list: &str) -> Shape {
    match list {
        "risk_factors" => Shape {
            words: &["description", "message", "name", "type"],
            rest: &[
                ("type", "reported"),
                ("severity", "medium"),
                ("mitigation", "none proposed"),
            ],
        },
        "recommendations" => Shape {
            words: &["action", "recommendation", "description", "message"],
            rest: &[("priority", "medium"), ("expected_impact", "not stated")],
        },
        _ => Shape {
            words: &["suggestion", "action", "description", "message"],
            rest: &[("impact", "not stated")],
        },
    }
}

impl Shape {
    fn entry(&self, given: &Value) -> Option<Value> {
        let mut entry = match given {
            Value::Object(fields) => fields.clone(),
            other => Object::from_iter([(self.words[0].to_owned(), read::shown(other)?.into())]),
        };
        let words = read::first_shown(&entry, self.words)?;
        entry.insert(self.words[0].into(), words.into());
        for (key, absent) in self.rest {
            let shown = read::first_shown(&entry, &[key]).unwrap_or_else(|| (*absent).to_owned());
            entry.insert((*key).into(), shown.into());
        }
        Some(entry.into())
    }
}

fn timeline(given: &Object, most: usize) -> Object {
    // A large one is not even copied.
    let mut out = match held_by_object(given) > most {
        true => Object::new(),
        false => given.clone(),
    };
    match given.get("on_track") {
        Some(Value::Bool(on_track)) => out.insert("on_track".into(), (*on_track).into()),
        _ => out.remove("on_track"),
    };
    match given.get("confidence").and_then(read::score) {
        Some(score) => out.insert("confidence".into(), score.into()),
        None => out.remove("confidence"),
    };
    match read::first_shown(given, &["estimated_completion"]) {
        Some(text) => out.insert("estimated_completion".into(), text.into()),
        None => out.remove("estimated_completion"),
    };
    match given.get("critical_path_risks") {
        Some(Value::Array(risks)) => {
            let shown = |risk: &Value| match risk {
                Value::Object(risk) => read::first_shown(risk, shape("risk_factors").words),
                other => read::shown(other),
            };
            let risks: Vec<String> = risks.iter().filter_map(shown).take(MAX_ENTRIES).collect();
            out.insert("critical_path_risks".into(), risks.into())
        }
        _ => out.remove("critical_path_risks"),
    };
    out
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn cleaned(data: Value) -> Value {
        let Value::Object(data) = data else {
            panic!("data is an object")
        };
        own(&data, usize::MAX).into()
    }

    #[test]
    fn what_can_be_shown_is_kept_as_it_is() {
        let whole = json!({
            "risk_factors": [{"type": "disk", "severity": "high", "description": "Full", "mitigation": "Clear it", "since": 3}],
            "recommendations": [{"priority": "low", "action": "Wait", "expected_impact": "None"}],
            "resource_optimization": [],
            "timeline_prediction": {"on_track": true, "confidence": 0.5, "estimated_completion": "soon", "critical_path_risks": ["a"], "by": "us"},
        });
        assert_eq!(cleaned(whole.clone()), whole);
    }

    #[test]
    fn what_cannot_be_shown_is_dropped_and_what_is_missing_filled_in() {
        let careless = json!({
            "risk_factors": [null, "disk", {"type": "net", "severity": 3}, [], {}],
            "recommendations": [{}, null],
            "resource_optimization": [{"suggestion": "Fewer agents"}],
            "timeline_prediction": {"confidence": "high", "on_track": "yes", "estimated_completion": null, "critical_path_risks": [null, 4, {"name": "x"}, {}]},
        });
        assert_eq!(
            cleaned(careless),
            json!({
                "risk_factors": [
                    {"type": "reported", "severity": "medium", "description": "disk", "mitigation": "none proposed"},
                    {"type": "net", "severity": "3", "description": "net", "mitigation": "none proposed"},
                ],
                "resource_optimization": [{"suggestion": "Fewer agents", "impact": "not stated"}],
                "timeline_prediction": {"critical_path_risks": ["4", "x"]},
            })
        );
        assert_eq!(
            cleaned(json!({"risk_factors": "disk", "timeline_prediction": 4})),
            json!({})
        );
    }
}
