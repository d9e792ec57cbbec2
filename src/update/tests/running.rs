//! The rows for runs, executions and jobs, and for visual updates.

use serde_json::json;

use super::{
    event,
    rows::{Row, row},
};
use crate::event::Priority;

pub(super) fn runs() -> Vec<Row> {
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
            Some("workflow.run.progress/x1"),
            "progress",
        ),
        row(
            "execution.updated",
            run,
            &[("execution_update", shown)],
            Normal,
            Some("execution.updated/x1"),
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
            Some("workflow.node.state.updated/n1"),
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
            Some("ingest.job.progress/j1"),
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
            Some("agent.run.progress/r1"),
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

pub(super) fn visuals() -> Vec<Row> {
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
            "visual.node.update/n1",
            "node",
        ),
        (
            "edge_update",
            "high",
            Priority::High,
            "visual.edge.update/n1",
            "edge",
        ),
        (
            "style_update",
            "medium",
            Priority::Normal,
            "visual.style.update/n1",
            "node",
        ),
        (
            "layout_update",
            "normal",
            Priority::Normal,
            "visual.layout.update/-",
            "layout",
        ),
        (
            "complete_refresh",
            "normal",
            Priority::Normal,
            "visual.complete.refresh/-",
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
