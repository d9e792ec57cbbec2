//! The rows of the contract's table and their named exceptions: agents, projects, tasks, decisions, the system,
//! messages, and all other events.

use serde_json::{Value, json};

use super::{models, of, plans, running, texts, vocabulary};
use crate::event::{Event, Priority};

/// The update that a row must give.
pub(super) struct Row {
    pub(super) event: Event,
    /// The Socket.IO events, in order, each with fields that it must have at least.
    pub(super) updates: Vec<(&'static str, Value)>,
    pub(super) priority: Priority,
    /// The key that coalesces it, or none.
    pub(super) key: Option<&'static str>,
    pub(super) animation: &'static str,
}

pub(super) fn row(
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

pub(super) fn rows() -> Vec<Row> {
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
            Some("project.progress.updated/p1"),
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
            Some("progress.update.status/t1"),
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
            Some("task.updated/t1"),
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
    rows.extend(running::runs());
    rows.extend(running::visuals());
    rows.extend(vocabulary::tools());
    rows.extend(vocabulary::inputs());
    rows.extend(models::rows());
    rows.extend(texts::texts());
    rows.extend(plans::artifacts());
    rows
}
