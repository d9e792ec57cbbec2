//! The rows for artifacts and plans, and for the lines of Marcus' conversation.

use serde_json::{Value, json};

use super::{
    of, plan,
    rows::{Row, row},
    table,
};
use crate::{
    event::Priority::{Low, Normal},
    update::entities,
};

pub(super) fn artifacts() -> Vec<Row> {
    let page =
        json!({ "artifact_id": "f1", "path": "out/page.html", "bytes": 12, "agent_id": "a1" });
    let shown = |status: &str, motion: Value| {
        let mut shown = json!({ "artifact_id": "f1", "name": "page.html", "status": status, "mime": null, "bytes": 12, "url": null,
            "path": "out/page.html", "agent_id": "a1", "data": page,
            "hint": { "target": { "kind": "agent", "id": "a1" }, "from": "a1", "to": "f1", "intensity": 0.3 } });
        if !motion.is_null() {
            shown["hint"]["motion"] = motion;
        }
        [("artifact_update", shown)]
    };
    let line = json!({ "worker_id": "w1", "conversation_type": "worker_to_pm", "message": "Done", "metadata": { "x": 1 } });
    let answer =
        json!({ "worker_id": "w1", "conversation_type": "pm_to_worker", "message": "Well done" });
    let thought = json!({ "conversation_type": "internal_thinking", "thought": "Who is free?" });
    let said = |data: Value, from: Value, to: Value| {
        let hint = json!({ "target": { "kind": "message", "id": "e1" } });
        let mut said = json!({ "data": data, "hint": hint });
        said["data"]["message_id"] = "e1".into();
        said["data"]["final"] = true.into();
        said["data"]["agent_id"] = from.clone();
        said["data"]["to_agent_id"] = to.clone();
        said["hint"]["from"] = from;
        if !to.is_null() {
            said["hint"]["to"] = to;
        }
        [("message_appended", said)]
    };
    let items = json!([{ "id": "t1", "title": "Find it" }]);
    vec![
        row(
            "artifact.created",
            page.clone(),
            &shown("created", json!("drop")),
            Normal,
            None,
            "celebrate",
        ),
        row(
            "artifact_updated",
            page.clone(),
            &shown("updated", json!("drop")),
            Normal,
            Some("artifact/f1"),
            "celebrate",
        ),
        row(
            "artifact.deleted",
            page.clone(),
            &shown("deleted", Value::Null),
            Normal,
            None,
            "fade",
        ),
        row(
            "plan.updated",
            json!({ "plan_id": 7, "agent_id": "a1", "items": items }),
            &[(
                "plan_update",
                json!({ "plan_id": "7", "agent_id": "a1", "data": { "items": items } }),
            )],
            Normal,
            Some("plan/7"),
            "none",
        ),
        row(
            "worker_communication",
            line,
            &said(
                json!({ "content": "Done", "worker_id": "w1", "metadata": { "x": 1 } }),
                json!("w1"),
                json!("marcus"),
            ),
            Low,
            None,
            "flow",
        ),
        row(
            "worker_communication",
            answer,
            &said(
                json!({ "content": "Well done" }),
                json!("marcus"),
                json!("w1"),
            ),
            Low,
            None,
            "flow",
        ),
        row(
            "pm_thinking",
            thought,
            &said(
                json!({ "content": "Who is free?", "kind": "reasoning" }),
                json!("marcus"),
                Value::Null,
            ),
            Low,
            None,
            "pulse",
        ),
        row(
            "mcp_creating_response",
            json!({ "tool": "ping" }),
            &[("generic_update", json!({ "data": { "tool": "ping" } }))],
            Low,
            None,
            "none",
        ),
        row(
            "mcp_tool_failed",
            json!({ "tool": "ping" }),
            &[("generic_update", json!({}))],
            Normal,
            None,
            "none",
        ),
    ]
}

fn update(name: &str, data: Value) -> Value {
    plan(&table(), &of(name, data)).remove(0).1
}

#[test]
fn an_artifact_without_an_id_goes_by_its_place() {
    let id = |data: Value| update("artifact.created", data)["artifact_id"].clone();
    assert_eq!(
        id(json!({ "name": "n", "url": "https://a.example/x" })),
        "https://a.example/x"
    );
    assert_eq!(id(json!({ "name": "n", "path": "p" })), "p");
    assert_eq!(id(json!({ "artifactId": 7, "name": "n" })), "7");
    assert_eq!(
        id(json!({ "path": "p".repeat(513), "name": "n" })),
        "n",
        "nobody finds a thing by such an id"
    );
    assert_eq!(id(json!({})), Value::Null);
    let named = update(
        "artifact.created",
        json!({ "url": "https://a.example/b/report.pdf?x=/y#z" }),
    );
    assert_eq!(named["name"], "report.pdf");
    assert_eq!(
        update("artifact.listed", json!({}))["type"],
        "generic_update"
    );
}

#[test]
fn a_plan_goes_by_its_run_or_agent_and_keeps_its_place_among_updates_of_its_tasks() {
    let id = |data: Value| update("plan.updated", data)["plan_id"].clone();
    assert_eq!(id(json!({ "run_id": "r", "agent_id": "a" })), "r");
    assert_eq!(id(json!({ "agent_id": "a" })), "a");
    assert_eq!(id(json!({})), "plan");
    let of_plan = entities(&of(
        "plan.updated",
        json!({ "items": [{ "id": "t1" }, { "id": "t2" }] }),
    ));
    for task in ["t1", "t2"] {
        let of_task = entities(&of("task.updated", json!({ "task_id": task })));
        assert!(of_task.iter().all(|entity| of_plan.contains(entity)));
    }
}
