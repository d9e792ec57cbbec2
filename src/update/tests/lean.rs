//! The lean shape: each fact once.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::{of, table};
use crate::{
    channel::Listening,
    event::{Event, Object},
    update::{Envelope, UpdateShape, render},
};

/// The updates of an event, in the full shape and in the lean one.
fn both(event: &Event, data: Option<&Object>) -> Vec<(String, String)> {
    let envelope = Envelope {
        cursor: "1jhgbk3.1",
        coalesced: 1 + u32::from(data.is_some()),
        data,
        since: None,
    };
    let planned = table().plan(event, Listening::NONE).into_iter();
    let shown = |p: &_, shape| render(p, event, &envelope, shape);
    planned
        .map(|p| (shown(&p, UpdateShape::Full), shown(&p, UpdateShape::Lean)))
        .collect()
}

#[allow(clippy::cast_precision_loss)]
fn bytes(text: &str) -> f64 {
    text.len() as f64
}

/// The last of an event's updates, lean.
fn lean(name: &str, data: Value) -> Value {
    let (_, lean) = both(&of(name, data), None).pop().expect("an update");
    serde_json::from_str(&lean).expect("an update is JSON")
}

#[test]
fn a_small_decision_has_less_than_half_of_the_bytes() {
    let decision = json!({ "agent_id": "agent_backend_1", "task_id": "task-7", "decision": "Use PostgreSQL for the inventory",
        "rationale": "The team knows it well", "confidence_score": 0.9 });
    let small = json!({ "decision": "Use JWT", "rationale": "It is known", "confidence": 0.8 });
    let logged = json!({ "decision_id": "dec_1_1779544800", "task_id": "task-7", "agent_id": "agent_backend_1",
        "what": "Use PostgreSQL", "why": "The team knows it", "impact": "All services" });
    for (name, data) in [
        ("decision.made", decision),
        ("decision.made", small),
        ("decision_logged", logged),
    ] {
        let (full, lean) = both(&of(name, data), None).remove(0);
        let part = bytes(&lean) / bytes(&full);
        assert!(part <= 0.45, "{part:.3}:\n{lean}\n{full}");
    }
}

#[test]
fn the_fields_are_these() {
    let update = lean(
        "decision.made",
        json!({ "agent_id": "a", "task_id": "t", "project_id": "p", "what": "Go", "why": "It is time", "confidence_score": 0.9 }),
    );
    assert_eq!(
        update,
        json!({ "type": "decision_event", "timestamp": "2026-01-02T03:04:05.678Z", "id": "e1", "cursor": "1jhgbk3.1",
            "priority": "normal", "animation": "pulse", "hint": { "target": { "kind": "task", "id": "t" }, "duration_ms": 600, "intensity": 0.5 },
            "data": { "decision": "Go", "rationale": "It is time", "confidence": 0.9, "agent_id": "a", "task_id": "t", "project_id": "p" } })
    );
}

/// The body of each kind: the data as it was said, and what only the event's name says.
#[test]
fn what_is_said_is_said_once() {
    for (name, data, expected) in [
        (
            "task.completed",
            json!({ "task_id": "t" }),
            json!({ "task_status": "done", "data": { "change_type": "completed", "task_id": "t" } }),
        ),
        (
            "task.updated",
            json!({ "task_id": "t", "status": "todo" }),
            json!({ "task_status": "todo", "source_type": null, "data": { "status": "todo" } }),
        ),
        (
            "task.progress",
            json!({ "task_id": "t", "progress": 40, "status": "in_progress" }),
            json!({ "task_status": "in_progress", "progress": null, "taskId": null, "source_type": null,
                "data": { "task_id": "t", "progress": 40, "status": "in_progress" } }),
        ),
        (
            "task_assignment",
            json!({ "agent_id": "a", "task_id": "t" }),
            json!({ "source_type": "task_assignment", "workerId": null, "data": { "agent_id": "a" },
                "hint": { "from": "pm-agent", "to": "a" } }),
        ),
        (
            "blocker.reported",
            json!({ "task_id": "t" }),
            json!({ "source_type": "blocker.reported", "data": { "change_type": "blocked" } }),
        ),
        (
            "agent.status.changed",
            json!({ "agent_id": "a", "old_status": "idle", "new_status": "busy" }),
            json!({ "source_type": "agent.status.changed", "update_type": null,
                "data": { "status": null, "new_status": "busy", "change_type": "changed" } }),
        ),
        (
            "agent.registered",
            json!({ "agent_id": "a" }),
            json!({ "source_type": null, "agent_id": null, "data": { "agent_id": "a", "change_type": "registered" } }),
        ),
        (
            "workflow.run.completed",
            json!({ "execution_id": "x", "errorMessage": null }),
            json!({ "event": null, "nulls": null,
                "data": { "execution_id": "x", "status": "completed", "progress_percentage": 100, "total_nodes": null } }),
        ),
        (
            "workflow.run.updated",
            json!({ "run": { "id": "x", "status": "running", "progress": 40 } }),
            json!({ "run_status": "running", "data": { "execution_id": null, "status": null, "progress_percentage": null,
                "run": { "id": "x", "status": "running", "progress": 40 } } }),
        ),
        (
            "ingest.job.failed",
            json!({ "job_id": "j", "errorMessage": "No key" }),
            json!({ "errorMessage": "No key", "data": { "job_id": "j", "status": "failed", "errorMessage": null } }),
        ),
        (
            "agent.run.started",
            json!({ "run_id": "r" }),
            json!({ "source_type": null, "data": { "status": "running", "change_type": "started" } }),
        ),
        (
            "system.health.changed",
            json!({ "severity": "high" }),
            json!({ "overall_health": null, "data": { "severity": "high", "message": null } }),
        ),
        (
            "error",
            json!({ "error": "No disk" }),
            json!({ "source_type": "error", "message": null, "data": { "level": "error", "error": "No disk" } }),
        ),
        (
            "custom.thing",
            json!({ "x": null }),
            json!({ "source_type": "custom.thing", "hint": { "target": { "kind": "system" }, "duration_ms": null }, "data": { "x": null } }),
        ),
    ] {
        let update = lean(name, data);
        has(&update, &expected, &update);
    }
}

/// Asserts that a value has all of these fields; a field that is to be `null` may be absent.
fn has(value: &Value, expected: &Value, update: &Value) {
    match expected {
        Value::Object(fields) => {
            for (key, expected) in fields {
                has(value.get(key).unwrap_or(&Value::Null), expected, update);
            }
        }
        _ => assert_eq!(value, expected, "{update}"),
    }
}

#[test]
fn an_agents_change_of_status_has_only_the_change() {
    let event = of(
        "agent.status.changed",
        json!({ "agent_id": "a", "old_status": "idle", "new_status": "busy", "note": "x" }),
    );
    let (_, lean) = both(&event, None).remove(0);
    let update: Value = serde_json::from_str(&lean).expect("JSON");
    let data = json!({ "agent_id": "a", "old_status": "idle", "new_status": "busy" });
    assert_eq!(
        (&update["type"], &update["data"]),
        (&json!("agent_status_change"), &data)
    );
}

/// All values at the leaves, with an absent one in the place of each `null`.
fn leaves(value: &Value, into: &mut BTreeSet<String>) {
    match value {
        Value::Object(fields) => fields.values().for_each(|value| leaves(value, into)),
        Value::Array(values) => values.iter().for_each(|value| leaves(value, into)),
        Value::Null => {}
        leaf => drop(into.insert(leaf.to_string())),
    }
}

/// Over streams as producers write them: whatever an event says is in its lean updates, and these have fewer bytes.
#[test]
fn nothing_that_an_event_says_is_lost() {
    let lines = include_str!("../../../tests/data/marcus-events.jsonl").lines();
    let others = include_str!("../../../tests/data/marcus-conversations.jsonl").lines();
    let (mut full_bytes, mut lean_bytes) = (0.0, 0.0);
    for line in lines.chain(others) {
        let event = super::event(serde_json::from_str(line).expect("JSON"));
        let mut said = BTreeSet::new();
        leaves(&Value::Object(event.data.clone()), &mut said);
        let (mut told, updates) = (BTreeSet::new(), both(&event, None));
        for (full, lean) in &updates {
            assert!(lean.len() <= full.len(), "{lean}\n{full}");
            full_bytes += bytes(full);
            lean_bytes += bytes(lean);
            leaves(&serde_json::from_str(lean).expect("JSON"), &mut told);
        }
        let lost: Vec<_> = said.difference(&told).collect();
        assert!(lost.is_empty(), "{lost:?} of {line}\n{updates:?}");
    }
    let part = lean_bytes / full_bytes;
    assert!(part < 0.86, "{part:.3}");
}
