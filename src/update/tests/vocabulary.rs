//! The rows for the tools of agents, and for work that passes between them.

use serde_json::{Value, json};

use super::{
    of, plan,
    rows::{Row, row},
    table,
};
use crate::event::Priority;

pub(super) fn tools() -> Vec<Row> {
    use Priority::{High, Normal};
    let call = json!({ "tool_call_id": "c1", "tool_name": "search", "agent_id": "a1", "task_id": "t1", "run_id": "r1",
        "args": { "q": "stoa" } });
    let shown = json!({ "tool_call_id": "c1", "tool_name": "search", "agent_id": "a1", "task_id": "t1", "run_id": "r1",
        "args_preview": "{\"q\":\"stoa\"}", "data": call });
    let with = |more: Value| {
        let mut fields = shown.clone();
        fields.as_object_mut().expect("fields").extend(
            more.as_object()
                .expect("more")
                .iter()
                .map(|(key, value)| (key.clone(), value.clone())),
        );
        [("tool_update", fields)]
    };
    let to = json!({ "target": { "kind": "agent", "id": "a1" }, "to": "search" });
    let back =
        json!({ "target": { "kind": "agent", "id": "a1" }, "from": "search", "motion": "back" });
    let reach =
        json!({ "target": { "kind": "agent", "id": "a1" }, "to": "search", "motion": "reach" });
    let rows = [
        ("tool.started", reach, "running", Normal, None, "pulse"),
        (
            "tool_progress",
            to,
            "running",
            Normal,
            Some("tool/c1"),
            "none",
        ),
        (
            "tool.completed",
            back.clone(),
            "completed",
            Normal,
            None,
            "fade",
        ),
        ("tool.failed", back.clone(), "failed", High, None, "flash"),
        ("tool.cancelled", back, "cancelled", Normal, None, "fade"),
    ];
    let rows = rows.map(|(name, hint, status, priority, key, animation)| {
        let updates = with(json!({ "status": status, "hint": hint }));
        row(name, call.clone(), &updates, priority, key, animation)
    });
    let handoff = json!({ "from_agent_id": "a1", "to_agent_id": "a2", "reason": "Needs a reviewer", "task_id": "t1" });
    let passed = json!({ "from_agent_id": "a1", "to_agent_id": "a2", "kind": "handoff", "reason": "Needs a reviewer",
        "agent_id": "a1", "task_id": "t1", "data": handoff,
        "hint": { "target": { "kind": "agent", "id": "a1" }, "from": "a1", "to": "a2", "motion": "pass" } });
    let handoffs = [row(
        "agent.handoff",
        handoff,
        &[("agent_handoff", passed)],
        High,
        None,
        "flow",
    )];
    rows.into_iter().chain(handoffs).collect()
}

/// The rows for questions to people, and for runs that wait.
pub(super) fn inputs() -> Vec<Row> {
    use Priority::High;
    let asked = json!({ "request_id": "q1", "message": "Publish?", "options": ["yes", "no"], "agent_id": "a1",
        "task_id": "t1", "run_id": "r1" });
    let target = json!({ "target": { "kind": "agent", "id": "a1" }, "motion": "ask" });
    let shown = json!({ "request_id": "q1", "kind": "input_required", "status": "open", "message": "Publish?",
        "options": ["yes", "no"], "agent_id": "a1", "task_id": "t1", "run_id": "r1", "data": asked, "hint": target });
    let answer = json!({ "requestId": 7, "kind": "confirmation", "answer": { "ok": true }, "answered_by": "ann" });
    let told = json!({ "request_id": "7", "kind": "confirmation", "status": "received", "answer": { "ok": true },
        "answered_by": "ann", "agent_id": null });
    let over = json!({ "request_id": "q1", "status": "expired" });
    let run = |id: &str| json!({ id: "r1", "parent_run_id": "r0", "session_id": "s1" });
    let paused = |id: &str, status: &str| json!({ "data": { id: "r1", "status": status, "parent_run_id": "r0", "session_id": "s1" } });
    let nested = json!({ "run": { "id": "r1", "parentRunId": "r0" } });
    vec![
        row(
            "input.requested",
            asked,
            &[("input_update", shown)],
            High,
            None,
            "alert",
        ),
        row(
            "input.received",
            answer,
            &[("input_update", told)],
            High,
            None,
            "pulse",
        ),
        row(
            "input.expired",
            json!({ "request_id": "q1" }),
            &[("input_update", over)],
            High,
            None,
            "fade",
        ),
        row(
            "workflow.run.paused",
            run("execution_id"),
            &[("execution_update", paused("execution_id", "paused"))],
            High,
            None,
            "alert",
        ),
        row(
            "workflow.run.resumed",
            run("execution_id"),
            &[("execution_update", paused("execution_id", "running"))],
            High,
            None,
            "progress",
        ),
        row(
            "agent.run.paused",
            run("run_id"),
            &[("agent_run_update", paused("run_id", "paused"))],
            High,
            None,
            "alert",
        ),
        row(
            "agent.run.resumed",
            nested,
            &[(
                "agent_run_update",
                json!({ "data": { "parent_run_id": "r0" } }),
            )],
            High,
            None,
            "progress",
        ),
    ]
}

fn update(name: &str, data: Value) -> Value {
    plan(&table(), &of(name, data)).remove(0).1
}

#[test]
fn a_call_without_an_id_goes_by_its_tools_name() {
    let named = update("tool.progress", json!({ "tool_name": "search" }));
    assert_eq!(named["tool_call_id"], "search");
    let numbered = update("tool.started", json!({ "toolCallId": 7, "tool": "search" }));
    assert_eq!(
        (&numbered["tool_call_id"], &numbered["tool_name"]),
        (&json!("7"), &json!("search"))
    );
}

#[test]
fn long_arguments_and_results_have_a_short_beginning_beside_them() {
    let long = "ä".repeat(5_000);
    let update = update(
        "tool.completed",
        json!({ "tool_call_id": "c", "args": null, "result": long, "duration_ms": 12, "error": "none" }),
    );
    assert_eq!(update["result_preview"], "ä".repeat(200));
    assert_eq!(
        (&update["args_preview"], &update["data"]["result"]),
        (&Value::Null, &json!(long))
    );
    assert_eq!(
        (&update["duration_ms"], &update["error"]),
        (&json!(12), &json!("none"))
    );
}

#[test]
fn other_events_of_tools_are_generic() {
    for name in [
        "input.answered",
        "input.requested.again",
        "input",
        "tool.listed",
        "tool.call.started",
        "tool",
    ] {
        assert_eq!(update(name, json!({}))["type"], "generic_update", "{name}");
    }
}

#[test]
fn a_handoff_is_of_the_agent_that_it_names() {
    let own = update(
        "agent.handoff",
        json!({ "agent_id": "a3", "from_agent_id": "a1", "to_agent_id": "a2", "kind": "delegation" }),
    );
    assert_eq!(
        (&own["agent_id"], &own["kind"]),
        (&json!("a3"), &json!("delegation"))
    );
    let nobody = update("agent.handoff", json!({ "from_agent_id": { "id": 1 } }));
    assert_eq!(nobody["agent_id"], Value::Null);
}

#[test]
fn every_event_of_a_run_tells_how_it_stands() {
    for (name, status) in [
        ("agent_run", "queued"),
        ("agent.run.updated", "queued"),
        ("execution", "queued"),
        ("workflow.completed", "completed"),
        ("ingest.completed", "completed"),
        ("ingest", "queued"),
    ] {
        let data = json!({ "run_id": "r", "execution_id": "r", "job_id": "r", "status": "queued" });
        assert_eq!(update(name, data)["run_status"], status, "{name}");
    }
    let step = json!({ "run_id": "r", "status": "queued" });
    assert!(update("agent.step.updated", step)["run_status"].is_null());
}
