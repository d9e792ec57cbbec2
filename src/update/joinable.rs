//! Whether two updates of one kind can be told as one, so that who hears only this one knows what those know who heard
//! both.
//!
//! The later one's fields are laid over those of the earlier one. That differs from hearing both where a fact has several
//! spellings, of which one counts; where fields stand in an object, which is replaced as a whole; and where what the later
//! one says is read beside what only the earlier one said.

use serde_json::Value;

use crate::event::{EventName, Object};

/// Objects in the data with facts of the thing itself.
const OUTER: [&str; 8] = [
    "run",
    "job",
    "execution",
    "project_state",
    "task_details",
    "nodeState",
    "node",
    "step",
];

/// Fields of one meaning, wherever they stand.
const SPELLINGS: [&[&str]; 7] = [
    &["new_status", "status", "state"],
    &["progress", "progress_percent", "progress_percentage"],
    &["agent_name", "task_name", "project_name", "name"],
    &["current_task", "task_id"],
    &["parent_run_id", "parentRunId"],
    &["session_id", "sessionId"],
    &["errorMessage", "error", "message"],
];

/// The fields in which an event says why its task is blocked.
const BLOCKERS: [&str; 5] = [
    "blocker",
    "blocker_description",
    "reason",
    "description",
    "message",
];

/// Whether two updates of events with this name can be told as one.
pub fn joinable(name: &EventName, earlier: &Object, later: &Object) -> bool {
    // Mostly the later one has all fields of the earlier one.
    earlier.iter().all(|(key, value)| {
        let inner = value.as_object().filter(|_| OUTER.contains(&&**key));
        match (later.get(key), inner) {
            (Some(Value::Object(after)), Some(inner)) => {
                inner.keys().all(|key| after.contains_key(key))
            }
            (Some(_), inner) => inner.is_none(),
            (None, Some(inner)) => inner.keys().all(|key| !is_answered(key, later)),
            (None, None) => !is_answered(key, later) && !is_read_beside(key, name, later),
        }
    })
}

/// Whether `later` says this field, or one of its meaning, anywhere.
fn is_answered(key: &str, later: &Object) -> bool {
    let spellings = SPELLINGS.iter().find(|keys| keys.contains(&key));
    let alone = [key];
    let keys = spellings.map_or(&alone[..], |keys| keys);
    let says = |object: &Object| keys.iter().any(|key| object.contains_key(*key));
    let inner = |outer: &&str| later.get(*outer).and_then(Value::as_object);
    says(later) || OUTER.iter().filter_map(inner).any(says)
}

/// Whether this field of the earlier one would count as said with what the later one says.
fn is_read_beside(key: &str, name: &EventName, later: &Object) -> bool {
    let status = ["new_status", "status"]
        .iter()
        .find_map(|key| later.get(*key));
    match key {
        // A task whose status is not `failed` has no error, and one that is told of as under way is.
        "error" | "error_type" => true,
        "status" => matches!(name.canonical(), "task.progress" | "progress.update"),
        // A status is news of the agent itself: no task was given to it since.
        "current_task" => status.is_some(),
        key if BLOCKERS.contains(&key) => status.is_some_and(|status| status == "blocked"),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn two_updates_are_one_only_if_that_says_the_same() {
        let of = |data: Value| data.as_object().cloned().unwrap();
        for (name, earlier, later, expected) in [
            ("task.updated", json!({ "a": 1 }), json!({ "b": 1 }), true),
            (
                "task.updated",
                json!({ "status": "x" }),
                json!({ "progress": 1 }),
                true,
            ),
            (
                "task.updated",
                json!({ "status": "x" }),
                json!({ "new_status": "y" }),
                false,
            ),
            (
                "task.updated",
                json!({ "new_status": "x" }),
                json!({ "status": "y", "new_status": "z" }),
                true,
            ),
            (
                "task.updated",
                json!({ "error": "E", "status": "failed" }),
                json!({ "status": "working" }),
                false,
            ),
            (
                "task.updated",
                json!({ "reason": "R" }),
                json!({ "status": "blocked" }),
                false,
            ),
            (
                "task.updated",
                json!({ "reason": "R" }),
                json!({ "status": "working" }),
                true,
            ),
            (
                "task.progress",
                json!({ "progress": 1, "status": "failed" }),
                json!({ "progress": 2 }),
                false,
            ),
            (
                "task.progress",
                json!({ "progress": 1, "message": "m" }),
                json!({ "progress": 2 }),
                true,
            ),
            (
                "agent.updated",
                json!({ "current_task": "t" }),
                json!({ "status": "idle" }),
                false,
            ),
            (
                "agent.updated",
                json!({ "current_task": "t" }),
                json!({ "skill": "x" }),
                true,
            ),
            (
                "agent.updated",
                json!({ "name": "A" }),
                json!({ "agent_name": "B" }),
                false,
            ),
            (
                "agent.run.updated",
                json!({ "run": { "id": "r", "n": 1 } }),
                json!({ "run": { "id": "r", "m": 1 } }),
                false,
            ),
            (
                "agent.run.updated",
                json!({ "run": { "id": "r" } }),
                json!({ "run": { "id": "r", "m": 1 } }),
                true,
            ),
            (
                "agent.run.updated",
                json!({ "run": { "id": "r" } }),
                json!({ "run": "r" }),
                false,
            ),
            (
                "agent.run.updated",
                json!({ "run": { "id": "r", "note": 1 } }),
                json!({ "note": 2 }),
                false,
            ),
            (
                "agent.run.updated",
                json!({ "note": 1 }),
                json!({ "run": { "id": "r", "note": 2 } }),
                false,
            ),
            (
                "agent.run.updated",
                json!({ "run": { "id": "r", "note": 1 } }),
                json!({ "other": 2 }),
                true,
            ),
            (
                "agent.run.updated",
                json!({ "run": { "parentRunId": "x" } }),
                json!({ "parent_run_id": "y" }),
                false,
            ),
        ] {
            let joins = joinable(
                &EventName::new(name),
                &of(earlier.clone()),
                &of(later.clone()),
            );
            assert_eq!(joins, expected, "{name} {earlier} {later}");
        }
    }
}
