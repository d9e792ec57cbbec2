//! A row for each row of the contract's table, and for each exception that a row names.

use serde_json::{Value, json};

use super::{TEXT_THROTTLE, THROTTLE, event, of, plan, table};
use crate::{
    event::{Event, Priority},
    update::{Merge, Namespace, Pace, event_rooms},
};

/// What a row must give.
struct Row {
    event: Event,
    /// The Socket.IO events, in order, each with fields that it must have at least.
    updates: Vec<(&'static str, Value)>,
    priority: Priority,
    /// The key that coalesces it, or none.
    key: Option<&'static str>,
    animation: &'static str,
}

fn row(
    name: &str,
    data: Value,
    updates: &[(&'static str, Value)],
    priority: Priority,
    key: Option<&'static str>,
    animation: &'static str,
) -> Row {
    Row {
        event: of(name, data),
        updates: updates.to_vec(),
        priority,
        key,
        animation,
    }
}

/// Whether `whole` has everything that `part` has.
fn has(whole: &Value, part: &Value) -> bool {
    match (whole, part) {
        (Value::Object(whole), Value::Object(part)) => part
            .iter()
            .all(|(k, v)| whole.get(k).is_some_and(|w| has(w, v))),
        _ => whole == part,
    }
}

fn rows() -> Vec<Row> {
    use Priority::{Critical, High, Low, Normal};
    let status = |new: &str| json!({ "agent_id": "a1", "old_status": "idle", "new_status": new });
    let both = |new: &str| {
        [
            (
                "agent_status_change",
                json!({ "agent_id": "a1", "old_status": "idle", "new_status": new }),
            ),
            (
                "agent_update",
                json!({ "data": { "agent_id": "a1", "status": new, "new_status": new, "change_type": "changed" } }),
            ),
        ]
    };
    let one = |name: &'static str, fields: Value| [(name, fields)];
    let mut rows = vec![
        row(
            "agent.status.changed",
            status("active"),
            &both("active"),
            Normal,
            Some("agent.status.changed/a1"),
            "pulse",
        ),
        row(
            "agent_status_changed",
            status("blocked"),
            &both("blocked"),
            Normal,
            Some("agent.status.changed/a1"),
            "fade",
        ),
        row(
            "agent.registered",
            json!({ "agent_id": "a1", "name": "Ada" }),
            &one(
                "agent_update",
                json!({ "data": { "agent_id": "a1", "name": "Ada", "change_type": "registered" } }),
            ),
            Normal,
            None,
            "pulse",
        ),
        row(
            "agent:skill:updated",
            json!({ "agent_id": "a1", "status": "idle" }),
            &one(
                "agent_update",
                json!({ "data": { "agent_id": "a1", "status": "idle", "change_type": "updated" } }),
            ),
            Normal,
            Some("agent.skill.updated/a1"),
            "fade",
        ),
        row(
            "project.progress.updated",
            json!({ "project_id": "p1", "progress": 40, "note": "n" }),
            &one(
                "project_update",
                json!({ "data": { "project_id": "p1", "progress": 40, "change_type": "updated", "note": "n" } }),
            ),
            Normal,
            Some("project/p1"),
            "progress",
        ),
        row(
            "project_completed",
            json!({ "project_id": "p1" }),
            &one(
                "project_update",
                json!({ "data": { "project_id": "p1", "change_type": "completed" } }),
            ),
            Normal,
            None,
            "celebrate",
        ),
        row(
            "progress.update",
            json!({ "agent_id": "a1", "task_id": "t1", "progress": 50, "status": "in_progress", "message": "half" }),
            &one(
                "progress_update",
                json!({ "agent_id": "a1", "task_id": "t1", "progress": 50, "status": "in_progress", "message": "half", "workerId": "a1",
                        "data": { "progress": 50 } }),
            ),
            Normal,
            Some("progress/t1"),
            "progress",
        ),
        row(
            "task_completed",
            json!({ "agent_id": "a1", "task_id": "t1" }),
            &one(
                "task_update",
                json!({ "data": { "task_id": "t1", "agent_id": "a1", "change_type": "completed" } }),
            ),
            High,
            None,
            "celebrate",
        ),
        row(
            "task.blocked",
            json!({ "agent_id": "a1", "task_id": "t1", "reason": "no key" }),
            &one(
                "task_update",
                json!({ "data": { "task_id": "t1", "agent_id": "a1", "change_type": "blocked", "reason": "no key" } }),
            ),
            High,
            None,
            "flash",
        ),
        row(
            "task.failed",
            json!({ "task_id": "t1" }),
            &one(
                "task_update",
                json!({ "data": { "task_id": "t1", "change_type": "failed" } }),
            ),
            Normal,
            None,
            "none",
        ),
        row(
            "task.started",
            json!({ "task_id": "t1" }),
            &one(
                "task_update",
                json!({ "data": { "task_id": "t1", "change_type": "started" } }),
            ),
            Normal,
            None,
            "none",
        ),
        row(
            "task.updated",
            json!({ "task_id": "t1", "estimate": 3 }),
            &one(
                "task_update",
                json!({ "data": { "task_id": "t1", "change_type": "updated", "estimate": 3 } }),
            ),
            Normal,
            Some("task/t1"),
            "none",
        ),
        row(
            "decision_logged",
            json!({ "what": "use SQLite", "why": "one file", "confidence_score": 0.8, "agent_id": "a1" }),
            &one(
                "decision_event",
                json!({ "decision": "use SQLite", "rationale": "one file", "confidence": 0.8, "timestamp": "2026-01-02T03:04:05.678Z" }),
            ),
            Normal,
            None,
            "pulse",
        ),
        row(
            "decision.made",
            json!({ "decision": { "pick": 1 }, "rationale": "r" }),
            &one(
                "decision_event",
                json!({ "decision": "{\"pick\":1}", "rationale": "r", "confidence": null }),
            ),
            Normal,
            None,
            "pulse",
        ),
        row(
            "decision.logged",
            json!({ "what": 42, "confidence_score": "high", "confidence": "high" }),
            &one(
                "decision_event",
                json!({ "decision": "42", "message": "42", "confidence": null, "confidence_score": null, "metadata": { "confidence_score": null } }),
            ),
            Normal,
            None,
            "pulse",
        ),
        row(
            "pm_decision",
            json!({ "decision": { "choice": "B" }, "confidence_score": "0.9" }),
            &one(
                "decision_event",
                json!({ "decision": "{\"choice\":\"B\"}", "message": "{\"choice\":\"B\"}", "confidence": 0.9, "confidence_score": 0.9 }),
            ),
            Normal,
            None,
            "pulse",
        ),
        row(
            "system.health.changed",
            json!({ "severity": "critical", "message": "down", "status": "bad", "cpu": 99 }),
            &one(
                "health_update",
                json!({ "data": { "severity": "critical", "message": "down", "status": "bad", "cpu": 99 }, "overall_health": "red",
                        "message": "down", "status": "bad", "risk_factors": [], "recommendations": [], "resource_optimization": [],
                        "timeline_prediction": { "on_track": false, "confidence": 0.0, "estimated_completion": "unknown", "critical_path_risks": [] },
                        "trends": { "health_direction": "stable", "confidence_change": 0.0, "risk_change": "stable" } }),
            ),
            Critical,
            None,
            "alert",
        ),
        row(
            "system_health_changed",
            json!({ "severity": "warning", "message": "slow" }),
            &one(
                "health_update",
                json!({ "data": { "severity": "warning", "message": "slow", "status": null }, "overall_health": "yellow" }),
            ),
            High,
            None,
            "none",
        ),
        row(
            "system.health.changed",
            json!({ "severity": "high", "old_status": "healthy", "risk_factors": [null, "disk"], "timeline_prediction": { "confidence": 0.5 } }),
            &one(
                "health_update",
                json!({ "overall_health": "yellow", "trends": { "health_direction": "declining" },
                        "risk_factors": [{ "type": "reported", "severity": "medium", "description": "disk", "mitigation": "none proposed" }],
                        "timeline_prediction": { "on_track": true, "confidence": 0.5, "estimated_completion": "unknown" },
                        "data": { "risk_factors": [null, "disk"] } }),
            ),
            High,
            None,
            "none",
        ),
        row(
            "system.health.changed",
            json!({ "overall_health": "red", "severity": "info" }),
            &one("health_update", json!({ "overall_health": "red" })),
            High,
            None,
            "none",
        ),
        row(
            "system.health.changed",
            json!({}),
            &one("health_update", json!({ "overall_health": "green" })),
            High,
            None,
            "none",
        ),
        row(
            "system.startup",
            json!({ "message": "up" }),
            &one(
                "system_notification",
                json!({ "level": "info", "message": "up", "data": { "message": "up" } }),
            ),
            Normal,
            None,
            "none",
        ),
        row(
            "kanban.synced",
            json!({}),
            &one(
                "system_notification",
                json!({ "level": "info", "message": "kanban synced" }),
            ),
            Normal,
            None,
            "none",
        ),
        row(
            "error",
            json!({ "message": "boom" }),
            &one(
                "system_notification",
                json!({ "level": "error", "message": "boom" }),
            ),
            High,
            None,
            "alert",
        ),
        row(
            "kanban_error",
            json!({ "error": "boom" }),
            &one(
                "system_notification",
                json!({ "level": "error", "message": "boom" }),
            ),
            High,
            None,
            "alert",
        ),
        row(
            "warning",
            json!({ "warning": "hm" }),
            &one(
                "system_notification",
                json!({ "level": "warning", "message": "hm" }),
            ),
            Normal,
            None,
            "none",
        ),
        row(
            "deploy.finished",
            json!({ "x": 1 }),
            &one("generic_update", json!({ "data": { "x": 1 } })),
            Normal,
            None,
            "none",
        ),
        row(
            "agent.message.appended",
            json!({ "run_id": "r1", "message_id": "m1", "role": "assistant", "content": "Hel" }),
            &one(
                "message_appended",
                json!({ "data": { "run_id": "r1", "message_id": "m1", "role": "assistant", "content": "Hel" } }),
            ),
            Low,
            Some("text/m1"),
            "flow",
        ),
    ];
    for name in ["task.assigned", "task_assignment"] {
        rows.push(row(
            name,
            json!({ "agent_id": "a1", "task_id": "t1", "task_name": "Login" }),
            &one(
                "task_assignment",
                json!({ "agent_id": "a1", "task_id": "t1", "task_name": "Login", "workerId": "a1", "taskId": "t1", "taskName": "Login",
                        "data": { "task_name": "Login" }, "hint": { "target": { "kind": "agent", "id": "a1" }, "from": "pm-agent", "to": "a1" } }),
            ),
            High,
            None,
            "flow",
        ));
    }
    rows.extend(runs());
    rows.extend(visuals());
    rows
}

fn runs() -> Vec<Row> {
    use Priority::{High, Normal};
    let run = json!({ "execution_id": "x1", "status": "running", "progress_percentage": 25, "completed_nodes": 1, "total_nodes": 4, "current_node": "n1" });
    let shown = json!({ "event": "status_changed", "data": run.clone() });
    let node = json!({ "execution_id": "x1", "node_id": "n1", "node_execution_id": "ne1", "node_name": "Fetch" });
    let node_shown = |status: &str| {
        json!({ "event": "status_changed", "data": { "execution_id": "x1", "node_id": "n1", "node_execution_id": "ne1", "node_name": "Fetch",
                "status": status, "message": null } })
    };
    let mut rows = vec![
        row(
            "workflow.run.progress",
            run.clone(),
            &[("execution_update", shown.clone())],
            Normal,
            Some("execution/x1"),
            "progress",
        ),
        row(
            "execution.updated",
            run,
            &[("execution_update", shown)],
            Normal,
            Some("execution/x1"),
            "progress",
        ),
        row(
            "workflow.node.started",
            node.clone(),
            &[("node_update", node_shown("running"))],
            Normal,
            None,
            "pulse",
        ),
        row(
            "workflow.node.completed",
            node.clone(),
            &[("node_update", node_shown("completed"))],
            Normal,
            None,
            "fade",
        ),
        row(
            "workflow.node.failed",
            node,
            &[("node_update", node_shown("failed"))],
            High,
            None,
            "flash",
        ),
        row(
            "workflow.node_state.updated",
            json!({ "run_id": "x1", "nodeState": { "id": "ne1", "nodeId": "n1", "status": "waiting" } }),
            &[(
                "node_update",
                json!({ "data": { "execution_id": "x1", "node_id": "n1", "node_execution_id": "ne1", "status": "waiting" } }),
            )],
            Normal,
            Some("node/n1"),
            "fade",
        ),
        row(
            "ingest.job.progress",
            json!({ "job": { "id": "j1", "stage": "parse", "progress": 30 } }),
            &[(
                "ingest_update",
                json!({ "data": { "job_id": "j1", "stage": "parse", "progress": 30, "job": { "id": "j1" } } }),
            )],
            Normal,
            Some("job/j1"),
            "progress",
        ),
        row(
            "ingest.job.failed",
            json!({ "job": { "id": "j1" }, "errorMessage": "bad file" }),
            &[(
                "ingest_update",
                json!({ "errorMessage": "bad file", "data": { "job_id": "j1", "status": "failed" } }),
            )],
            High,
            None,
            "progress",
        ),
        row(
            "agent.run.progress",
            json!({ "run": { "id": "r1", "status": "running" } }),
            &[(
                "agent_run_update",
                json!({ "data": { "run_id": "r1", "run": { "id": "r1" }, "status": "running" } }),
            )],
            Normal,
            Some("run/r1"),
            "progress",
        ),
        row(
            "agent.run.completed",
            json!({ "run": { "id": "r1" } }),
            &[(
                "agent_run_update",
                json!({ "data": { "run_id": "r1", "status": "completed" } }),
            )],
            High,
            None,
            "progress",
        ),
        row(
            "agent.step.updated",
            json!({ "run_id": "r1", "step": { "id": "s1", "status": "running" } }),
            &[(
                "agent_run_update",
                json!({ "data": { "run_id": "r1", "step": { "id": "s1" }, "status": "running" } }),
            )],
            Normal,
            Some("step/s1"),
            "progress",
        ),
    ];
    for (end, animation) in [
        ("completed", "celebrate"),
        ("failed", "flash"),
        ("cancelled", "flash"),
    ] {
        rows.push(row(
            &format!("execution.{end}"),
            json!({ "execution_id": "x1" }),
            &[(
                "execution_update",
                json!({ "data": { "execution_id": "x1", "status": end } }),
            )],
            High,
            None,
            animation,
        ));
    }
    rows
}

fn visuals() -> Vec<Row> {
    let visual = |update_type: &str, priority: &str| {
        event(
            json!({ "update_id": "u1", "update_type": update_type, "target_id": "n1", "changes": { "x": 1 }, "priority": priority,
                      "timestamp": "2026-01-02T03:04:05Z", "metadata": { "m": 1 } }),
        )
    };
    let expected = |update_type: &str| json!({ "update_id": "u1", "update_type": update_type, "target_id": "n1", "changes": { "x": 1 }, "metadata": { "m": 1 } });
    let rows = [
        (
            "node_update",
            "low",
            Priority::Low,
            "visual.node/n1",
            "node",
        ),
        (
            "edge_update",
            "high",
            Priority::High,
            "visual.edge/n1",
            "edge",
        ),
        (
            "style_update",
            "medium",
            Priority::Normal,
            "visual.style/n1",
            "node",
        ),
        (
            "layout_update",
            "normal",
            Priority::Normal,
            "visual.layout/-",
            "layout",
        ),
        (
            "complete_refresh",
            "normal",
            Priority::Normal,
            "visual.refresh/-",
            "layout",
        ),
    ];
    let row =
        |(update_type, said, priority, key, target): (&str, &str, Priority, &'static str, &str)| {
            let mut fields = expected(update_type);
            fields["hint"] = json!({ "target": { "kind": target, "id": "n1" } });
            Row {
                event: visual(update_type, said),
                updates: vec![("visual_update", fields)],
                priority,
                key: Some(key),
                animation: "pulse",
            }
        };
    rows.into_iter().map(row).collect()
}

#[test]
fn every_row_gives_its_updates() {
    let table = table();
    for row in rows() {
        let what = row.event.name.raw().to_owned();
        let planned = plan(&table, &row.event);
        let names: Vec<_> = planned.iter().map(|(p, _)| p.kind.name()).collect();
        let expected: Vec<_> = row.updates.iter().map(|(name, _)| *name).collect();
        assert_eq!(names, expected, "{what}");
        for ((planned, update), (name, fields)) in planned.iter().zip(&row.updates) {
            assert!(
                has(update, fields),
                "{what}: {update:#}\nlacks something of {fields:#}"
            );
            assert_eq!(update["type"], *name, "{what}");
            assert_eq!(update["priority"], row.priority.as_str(), "{what}");
            assert_eq!(update["animation"], row.animation, "{what}");
            assert_eq!(update["id"], *row.event.id, "{what}");
            assert_eq!(update["source_type"], *what, "{what}");
            assert_eq!(update["cursor"], "c", "{what}");
            assert!(update.get("coalesced").is_none(), "{what}");
            assert!(
                update["hint"]["target"]["kind"].is_string()
                    && update["hint"]["target"]["id"].is_string(),
                "{what}: {update}"
            );
            let intensity = update["hint"]["intensity"].as_f64().expect("a number");
            assert!(
                (0.0..=1.0).contains(&intensity) && update["hint"]["duration_ms"].is_u64(),
                "{what}"
            );
            assert_eq!(planned.kind.namespace(), Namespace::Root);
            match &planned.pace {
                Pace::Immediate => assert_eq!(row.key, None, "{what}"),
                Pace::Coalesced { key, window, merge } => {
                    assert_eq!(row.key, Some(&*key.0), "{what}");
                    assert_eq!(
                        *window,
                        if *merge == Merge::Text {
                            TEXT_THROTTLE
                        } else {
                            THROTTLE
                        },
                        "{what}"
                    );
                }
            }
        }
    }
}

#[test]
fn an_agent_update_has_a_status_only_if_the_event_states_one() {
    let status = |data: Value| {
        let planned = plan(&table(), &of("agent.registered", data));
        planned[0].1["data"].get("status").cloned()
    };
    assert_eq!(status(json!({ "agent_id": "a1" })), None);
    assert_eq!(status(json!({ "agent_id": "a1", "status": null })), None);
    assert_eq!(
        status(json!({ "status": null, "new_status": "idle" })),
        Some(json!("idle"))
    );
    assert_eq!(status(json!({ "status": "busy" })), Some(json!("busy")));
}

#[test]
fn critical_is_never_coalesced_whatever_the_row_says() {
    for row in rows() {
        let mut event = row.event;
        event.priority = Some(Priority::Critical);
        for (planned, update) in plan(&table(), &event) {
            assert_eq!(planned.pace, Pace::Immediate);
            assert_eq!(update["priority"], "critical");
        }
    }
}

#[test]
fn no_update_has_a_key_twice() {
    // Parsing into a map would hide it; a visitor that counts doesn't.
    fn check(text: &str) {
        let value: Value = serde_json::from_str(text).expect("JSON");
        assert_eq!(
            value.to_string().len(),
            text.len(),
            "a key is written twice in {text}"
        );
    }
    let table = table();
    for row in rows() {
        let mut event = row.event;
        // A producer's own keys that are named like ours.
        for key in [
            "type",
            "timestamp",
            "id",
            "cursor",
            "priority",
            "animation",
            "hint",
            "coalesced",
            "change_type",
            "source",
            "data",
        ] {
            event.data.entry(key).or_insert(json!("theirs"));
        }
        for planned in table.plan(&event, crate::update::Listening::ALL) {
            let stamp = crate::update::Stamp {
                cursor: "c",
                coalesced: 3,
                merged: None,
            };
            check(&crate::update::render(&planned, &event, &stamp));
        }
    }
}

#[test]
fn rooms_are_those_of_each_id_that_the_event_names() {
    let event = of(
        "workflow.run.started",
        json!({ "project_id": "p", "agent_id": "a", "task_id": "t", "execution_id": "x", "workflow_id": "w", "run_id": "r", "job_id": "j", "user_id": "u" }),
    );
    let mut rooms = Vec::new();
    event_rooms(&event, &mut |room| rooms.push(room.to_owned()));
    rooms.sort();
    let expected = [
        "agent:a",
        "execution:x",
        "job:j",
        "observers",
        "project:p",
        "run:r",
        "task:t",
        "user:u",
        "workflow:w",
    ];
    assert_eq!(rooms, expected);
}
