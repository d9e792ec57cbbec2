//! The alternatives of a decision, as the `/conversations` page prints them: `{id, name, score}` each.
//!
//! The page prints all three without checks. Marcus writes an alternative as `{task, score}`, others as they like.

use serde_json::{Value, json};

use crate::{event::Object, update::seneca::read};

/// The keys that may hold an alternative's name.
const NAMES: [&str; 7] = [
    "name",
    "task",
    "option",
    "title",
    "description",
    "id",
    "task_id",
];
/// The keys that may hold its id.
const IDS: [&str; 4] = ["id", "task_id", "task", "name"];

/// The alternatives that can be shown: those without a name are left out, and further fields are kept.
pub(super) fn shown(said: &Value) -> Value {
    match said {
        Value::Array(list) => list.iter().filter_map(one).collect(),
        // A single one is a list of one.
        other => one(other).into_iter().collect(),
    }
}

fn one(said: &Value) -> Option<Value> {
    let mut fields = match said {
        Value::Object(fields) => fields.clone(),
        other => Object::from_iter([("name".to_owned(), read::shown(other)?.into())]),
    };
    let name = read::first_shown(&fields, &NAMES)?;
    let id = read::first_shown(&fields, &IDS).unwrap_or_else(|| name.clone());
    // Without a score the match is unknown, but the page can print only a number.
    let score = match fields.get("score") {
        Some(Value::Number(score)) => score.clone().into(),
        other => json!(other.and_then(read::score).unwrap_or(0.0)),
    };
    for (key, value) in [("name", name.into()), ("id", id.into()), ("score", score)] {
        fields.insert(key.into(), value);
    }
    Some(fields.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_has_an_id_a_name_and_a_score() {
        let said = json!([null, "Plan C", {"name": "Plan D"}, {"task": "T", "score": 0.5}, {"id": 7, "score": "0.4"}, {}, [], true]);
        let expected = json!([
            {"id": "Plan C", "name": "Plan C", "score": 0.0},
            {"id": "Plan D", "name": "Plan D", "score": 0.0},
            {"id": "T", "name": "T", "task": "T", "score": 0.5},
            {"id": "7", "name": "7", "score": 0.4},
        ]);
        assert_eq!(shown(&said), expected);
    }

    #[test]
    fn what_is_no_list_becomes_one() {
        assert_eq!(shown(&json!("Plan B"))[0]["name"], "Plan B");
        assert_eq!(shown(&json!({"name": "Plan B"}))[0]["id"], "Plan B");
        assert_eq!(shown(&json!(true)), json!([]));
        assert_eq!(shown(&Value::Null), json!([]));
    }
}
