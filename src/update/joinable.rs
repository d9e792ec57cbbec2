//! Whether two updates of one kind can be told as one, so that who hears only this one knows what those know who heard
//! both.
//!
//! The later one's fields are laid over those of the earlier one. That differs from hearing both
//! - where a fact has several spellings or places, of which one counts;
//! - where a value does not count, as a `null` for a name, so that the one before it does;
//! - where a field is read beside another one: a task's reason beside its status;
//! - where a status does more than to stand there: a task that was done has a progress of 100.
//!
//! The work is in proportion to the later event: coalesced data may have many fields.

use std::mem::discriminant;

use serde_json::Value;

use super::status::{BLOCKERS, task_status, within};
use crate::event::{Event, Object, json_len};

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

/// Fields that are read and not only kept. Those of a row have one meaning, wherever they stand.
const READ: [&[&str]; 11] = [
    &["new_status", "status", "state"],
    &["progress", "progress_percent", "progress_percentage"],
    &["agent_name", "task_name", "project_name", "name"],
    &["current_task", "task_id"],
    &["parent_run_id", "parentRunId"],
    &["session_id", "sessionId"],
    &["errorMessage", "error", "message"],
    &["error_type"],
    &["node_name", "nodeName", "name"],
    &["node_execution_id", "nodeExecutionId", "id"],
    &["tool_name", "toolName", "tool"],
];

/// The most bytes of JSON of a fact that a state takes: a longer one is in the history, but not in every snapshot.
pub(crate) const MAX_FACT: usize = 8 * 1_024;

/// Whether the later event can be told together with the earlier ones of its name, whose data is `earlier`.
pub fn joinable(earlier: &Object, event: &Event) -> bool {
    let later = &event.data;
    let each_read = READ
        .iter()
        .flat_map(|row| row.iter().map(|key| (*row, *key)));
    let mut read = each_read.filter_map(|(row, key)| Some((row, key, earlier.get(key)?)));
    read.all(|(row, key, before)| match later.get(key) {
        Some(after) => counts_as(before, after),
        None => !is_answered(row, later) && !is_read_beside(key, event),
    }) && OUTER
        .iter()
        .all(|outer| objects_join(outer, earlier, later))
        && later.iter().all(|(key, value)| {
            let before = earlier.get(key);
            before.is_none_or(|before| !is_long(value) || is_long(before))
        })
        && same_status(earlier, event)
        && (task_status(&event.name, later) != Some("blocked")
            || BLOCKERS.iter().all(|key| is_covered(key, earlier, later)))
}

/// Whether a value is too long for a state, which keeps the one before.
fn is_long(value: &Value) -> bool {
    json_len(value) > MAX_FACT
}

/// Whether the later one of two values of a field counts, if the earlier one does.
fn counts_as(before: &Value, after: &Value) -> bool {
    let is_empty = |value: &Value| value.as_str() == Some("");
    let is_alike = discriminant(before) == discriminant(after);
    before.is_null() || (is_alike && (!is_empty(after) || is_empty(before)))
}

/// Whether `later` has this field too, if `earlier` has it.
fn is_covered(key: &str, earlier: &Object, later: &Object) -> bool {
    let before = earlier.get(key);
    before.is_none_or(|before| later.get(key).is_some_and(|after| counts_as(before, after)))
}

/// Whether the objects under this key can be told as one: the later one takes the place of the earlier one.
fn objects_join(outer: &str, earlier: &Object, later: &Object) -> bool {
    let before = earlier.get(outer).and_then(Value::as_object);
    let after = later.get(outer).and_then(Value::as_object);
    let held = match (before, after) {
        (None, _) => true,
        (Some(before), Some(after)) => {
            before.len() <= after.len() && before.keys().all(|key| is_covered(key, before, after))
        }
        (Some(_), None) if later.contains_key(outer) => false,
        (Some(before), None) => !says_anew(before, later),
    };
    // A field of the earlier one's own would count before that of the later one's object.
    let mut new = after.into_iter().flat_map(Object::keys);
    held && new.all(|key| later.contains_key(key) || !earlier.contains_key(key))
}

/// Whether `later` says one of these fields, or one of its meaning, anywhere.
fn says_anew(fields: &Object, later: &Object) -> bool {
    let is_there = |key: &String| {
        let mut rows = READ.iter().filter(|row| row.contains(&&**key));
        fields.contains_key(key) || rows.any(|row| row.iter().any(|key| fields.contains_key(*key)))
    };
    let inner = OUTER
        .iter()
        .filter_map(|outer| later.get(*outer)?.as_object());
    later.keys().any(is_there) || inner.flat_map(Object::keys).any(is_there)
}

/// Whether `later` says one of these fields anywhere.
fn is_answered(row: &[&str], later: &Object) -> bool {
    let says = |object: &Object| row.iter().any(|key| object.contains_key(*key));
    let inner = |outer: &&str| later.get(*outer).and_then(Value::as_object);
    says(later) || OUTER.iter().filter_map(inner).any(says)
}

/// Whether a field that only the earlier one has would be read beside what the later one says.
fn is_read_beside(key: &str, event: &Event) -> bool {
    match key {
        // A task has no error unless it failed.
        "error" | "error_type" => {
            task_status(&event.name, &event.data).is_some_and(|status| status != "failed")
        }
        // A status is news of the agent itself: no task was given to it since.
        "current_task" => is_answered(READ[0], &event.data),
        _ => false,
    }
}

/// Whether the earlier status did nothing that the later one does not do.
fn same_status(earlier: &Object, event: &Event) -> bool {
    let name = event.name.canonical();
    if matches!(event.name.family(), "task" | "progress" | "blocker") {
        let before = task_status(&event.name, earlier);
        return before.is_none() || before == task_status(&event.name, &event.data);
    }
    // A run that is complete is all done.
    let is_complete = |data| {
        let status = within(data, &["run", "execution", "job"], "status");
        status.is_some_and(|status| status == "completed")
    };
    !(name.starts_with("workflow.") || name.starts_with("execution."))
        || is_complete(earlier) == is_complete(&event.data)
}
