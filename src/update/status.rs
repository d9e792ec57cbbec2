//! The status of a task and of a run after an event, in the server's own words: the state and the updates say the same.

use serde_json::Value;

use crate::event::{Event, EventName, Object};

fn text<'d>(data: &'d Object, key: &str) -> Option<&'d str> {
    data.get(key).and_then(Value::as_str)
}

/// The status of its task after an event of a task; none if it changes none.
pub(crate) fn task_status<'d>(name: &EventName, data: &'d Object) -> Option<&'d str> {
    let failed = data.get("success") == Some(&Value::Bool(false));
    match name.canonical() {
        "task.completed" if failed => Some("blocked"),
        "task.completed" => Some("done"),
        "task.blocked" | "blocker.reported" | "blocker.report" => Some("blocked"),
        "task.assigned" | "task.assignment" | "task.started" | "task.retried"
        | "blocker.resolved" => Some("in_progress"),
        "task.created" | "task.unassigned" => Some("todo"),
        "task.failed" => Some("failed"),
        "task.cancelled" | "task.canceled" => Some("cancelled"),
        "task.deleted" => Some("deleted"),
        "task.progress" | "progress.update" => match text(data, "status") {
            Some("completed") => Some("done"),
            Some(status) => Some(status),
            None => Some("in_progress"),
        },
        _ => text(data, "new_status").or(text(data, "status")),
    }
}

/// The status of its run after an event of a run; none if it changes none.
pub(crate) fn run_status(name: &EventName, data: &Object) -> Option<String> {
    let by_name = match name.change_type() {
        "started" | "resumed" => "running",
        "canceled" => "cancelled",
        change @ ("completed" | "failed" | "cancelled" | "paused") => change,
        change => {
            let stated = status_in(data, &["run", "job"]);
            return stated.or((change == "created").then(|| "pending".to_owned()));
        }
    };
    Some(by_name.to_owned())
}

/// The run that began a run.
pub(crate) fn parent_run(data: &Object) -> Option<&str> {
    named(data, ["parent_run_id", "parentRunId"])
}

/// The session that a run is of.
pub(crate) fn session(data: &Object) -> Option<&str> {
    named(data, ["session_id", "sessionId"])
}

fn named<'d>(data: &'d Object, keys: [&str; 2]) -> Option<&'d str> {
    let mut said = keys.into_iter().filter_map(|key| {
        let value = within(data, &["run", "execution", "job"], key)?;
        value.as_str().filter(|id| !id.is_empty())
    });
    said.next()
}

/// The fields in which an event says why its task is blocked, the surest first.
pub(super) const BLOCKERS: [&str; 5] = [
    "blocker",
    "blocker_description",
    "reason",
    "description",
    "message",
];

/// The reason why a task is blocked.
pub(crate) fn blocker(data: &Object) -> Option<&str> {
    BLOCKERS.iter().find_map(|key| data.get(*key)?.as_str())
}

/// A field of the data, or of one of its objects.
pub(super) fn within<'d>(data: &'d Object, outer: &[&str], key: &str) -> Option<&'d Value> {
    let direct = data.get(key);
    direct.or_else(|| {
        outer
            .iter()
            .find_map(|o| data.get(*o).and_then(|inner| inner.get(key)))
    })
}

/// The status that an event states, under whichever key.
pub(super) fn status_of(event: &Event, outer: &[&str]) -> Option<String> {
    status_in(&event.data, outer)
}

/// The status that an event's data states.
fn status_in(data: &Object, outer: &[&str]) -> Option<String> {
    ["status", "state"]
        .iter()
        .find_map(|key| within(data, outer, key).and_then(Value::as_str))
        .map(str::to_ascii_lowercase)
}
