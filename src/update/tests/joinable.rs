//! Two updates as one say what both said.

use serde_json::json;

use crate::{
    event::{Event, EventName},
    update::joinable::{MAX_FACT, joinable},
};

#[test]
fn two_updates_are_one_only_if_that_says_the_same() {
    let of = |data: &serde_json::Value| data.as_object().cloned().unwrap();
    let long = "x".repeat(MAX_FACT);
    for (name, earlier, later, expected) in [
        ("task.updated", json!({ "a": 1 }), json!({ "b": 1 }), true),
        (
            "task.updated",
            json!({ "a": 1 }),
            json!({ "a": null }),
            true,
        ),
        (
            "task.updated",
            json!({ "a": 1 }),
            json!({ "a": long }),
            false,
        ),
        (
            "task.updated",
            json!({ "a": long }),
            json!({ "a": long }),
            true,
        ),
        (
            "task.progress",
            json!({ "message": "", "name": "" }),
            json!({ "message": "", "name": "" }),
            true,
        ),
        (
            "agent.run.updated",
            json!({ "run": { "name": "A" } }),
            json!({ "step": { "agent_name": "B" } }),
            false,
        ),
        (
            "task.updated",
            json!({ "progress": 1 }),
            json!({ "status": "x" }),
            true,
        ),
        (
            "task.updated",
            json!({ "status": "x" }),
            json!({ "progress": 1 }),
            false,
        ),
        (
            "task.updated",
            json!({ "status": "x" }),
            json!({ "status": "x", "progress": 1 }),
            true,
        ),
        (
            "task.updated",
            json!({ "status": "done" }),
            json!({ "status": "in_progress" }),
            false,
        ),
        (
            "task.updated",
            json!({ "status": "x" }),
            json!({ "new_status": "x" }),
            false,
        ),
        (
            "task.updated",
            json!({ "task_name": "A" }),
            json!({ "task_name": null }),
            false,
        ),
        (
            "task.updated",
            json!({ "task_name": null }),
            json!({ "task_name": "A" }),
            true,
        ),
        (
            "task.updated",
            json!({ "error": "E" }),
            json!({ "status": "working" }),
            false,
        ),
        (
            "task.updated",
            json!({ "error": "E" }),
            json!({ "note": 1 }),
            true,
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
            json!({ "new_status": null, "status": "blocked" }),
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
            json!({ "status": "working" }),
            json!({ "status": "idle" }),
            true,
        ),
        (
            "agent.updated",
            json!({ "status": "working" }),
            json!({ "status": null }),
            false,
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
            json!({ "run": { "n": 1 } }),
            json!({ "run": { "m": 1 } }),
            false,
        ),
        (
            "agent.run.updated",
            json!({ "run": { "n": 1 } }),
            json!({ "run": { "n": 2, "m": 1 } }),
            true,
        ),
        (
            "agent.run.updated",
            json!({ "run": { "n": 1 } }),
            json!({ "run": "r" }),
            false,
        ),
        (
            "agent.run.updated",
            json!({ "run": { "note": 1 } }),
            json!({ "note": 2 }),
            false,
        ),
        (
            "agent.run.updated",
            json!({ "note": 1 }),
            json!({ "run": { "note": 2 } }),
            false,
        ),
        (
            "agent.run.updated",
            json!({ "run": { "note": 1 } }),
            json!({ "other": 2 }),
            true,
        ),
        (
            "agent.run.updated",
            json!({ "run": { "parentRunId": "x" } }),
            json!({ "parent_run_id": "y" }),
            false,
        ),
        (
            "agent.run.updated",
            json!({ "parentRunId": "x" }),
            json!({ "parentRunId": "" }),
            false,
        ),
        (
            "workflow.run.updated",
            json!({ "progress": 50 }),
            json!({ "status": "completed" }),
            false,
        ),
        (
            "workflow.run.updated",
            json!({ "status": "queued" }),
            json!({ "status": "running" }),
            true,
        ),
        (
            "workflow.node.updated",
            json!({ "node_name": "A" }),
            json!({ "nodeName": "B" }),
            false,
        ),
    ] {
        let event = Event::new(EventName::new(name), of(&later));
        let joins = joinable(&of(&earlier), &event);
        assert_eq!(joins, expected, "{name} {earlier} {later}");
    }
}
