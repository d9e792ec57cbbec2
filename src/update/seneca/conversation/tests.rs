//! Every row of Seneca's own mapping.

use super::*;
use crate::update::seneca::testing::event;

/// `event_type`, source, target, message, metadata, confidence.
fn row(
    dialect: Dialect,
    name: &str,
    data: Value,
) -> (String, String, String, String, Value, Option<f64>) {
    let event = event(dialect, name, data);
    let line = conversation_fields(&event).unwrap();
    (
        line.event_type.into(),
        line.source.into(),
        line.target.into(),
        line.message().into_owned(),
        line.metadata().into(),
        line.confidence,
    )
}

#[track_caller]
fn check(
    dialect: Dialect,
    name: &str,
    data: Value,
    expected: [&str; 4],
    metadata: &Value,
    confidence: Option<f64>,
) {
    let (event_type, source, target, message, found, sure) = row(dialect, name, data);
    assert_eq!([&*event_type, &*source, &*target, &*message], expected);
    assert_eq!(&found, metadata);
    assert_eq!(sure, confidence);
}

#[test]
fn structured_lines() {
    let check = |name, data, expected, metadata| {
        check(Dialect::Conversation, name, data, expected, &metadata, None);
    };
    check(
        "worker_communication",
        json!({"worker_id": "agent_1", "conversation_type": "worker_to_pm", "message": "Hello", "metadata": {"role": "Dev"}}),
        ["worker_message", "agent_1", "marcus", "Hello"],
        json!({"role": "Dev"}),
    );
    check(
        "worker_communication",
        json!({"worker_id": "agent_1", "conversation_type": "pm_to_worker", "message": "Welcome", "metadata": null}),
        ["worker_message", "marcus", "agent_1", "Welcome"],
        json!({}),
    );
    check(
        "pm_thinking",
        json!({"thought": "Breaking it down", "context": {"project_name": "P"}}),
        ["pm_thinking", "marcus", "internal", "Breaking it down"],
        json!({"project_name": "P"}),
    );
    check(
        "kanban_interaction",
        json!({"conversation_type": "pm_to_kanban", "action": "update_task", "data": {"a": 1}, "processing_steps": ["x"]}),
        ["kanban_request", "marcus", "kanban_board", "update_task"],
        json!({"data": {"a": 1}, "processing_steps": ["x"]}),
    );
    check(
        "kanban_interaction",
        json!({"conversation_type": "kanban_to_pm", "action": "client_connection"}),
        [
            "kanban_response",
            "kanban_board",
            "marcus",
            "client_connection",
        ],
        json!({"data": {}, "processing_steps": []}),
    );
    check(
        "task_assignment",
        json!({"task_id": "t1", "worker_id": "agent_1", "task_details": {"name": "T"}, "assignment_score": 0.9, "dependency_analysis": {"blocking": 0}}),
        ["task_assignment", "marcus", "agent_1", "Task t1 assigned"],
        json!({"task_details": {"name": "T"}, "assignment_score": 0.9, "dependency_analysis": {"blocking": 0}}),
    );
    check(
        "progress_update",
        json!({"worker_id": "agent_1", "task_id": "t1", "progress": 30, "status": "in_progress", "message": "on it", "metrics": {"files": 4}}),
        ["progress_update", "agent_1", "marcus", "30% - on it"],
        json!({"task_id": "t1", "status": "in_progress", "metrics": {"files": 4}}),
    );
    check(
        "blocker_reported",
        json!({"worker_id": "agent_1", "task_id": "t1", "blocker_description": "No key", "severity": "high", "suggested_solutions": ["Add it"]}),
        ["blocker_report", "agent_1", "marcus", "No key"],
        json!({"task_id": "t1", "severity": "high", "suggested_solutions": ["Add it"]}),
    );
    check(
        "system_state",
        json!({"active_workers": 6, "tasks_in_progress": 5, "system_metrics": {"cpu": 0.3}}),
        ["system_state", "marcus", "system", "System state update"],
        json!({"active_workers": 6, "tasks_in_progress": 5, "tasks_completed": 0, "tasks_blocked": 0, "system_metrics": {"cpu": 0.3}}),
    );
}

#[test]
fn a_decision_says_how_sure_it_is() {
    check(
        Dialect::Conversation,
        "pm_decision",
        json!({"decision": "Go", "rationale": "Why not", "alternatives_considered": [{"task": "T", "score": 0.5}], "confidence_score": 0.85, "decision_factors": {"fit": true}}),
        ["pm_decision", "marcus", "decision", "Go"],
        &json!({"rationale": "Why not", "alternatives": [{"task": "T", "score": 0.5}], "decision_factors": {"fit": true}}),
        Some(0.85),
    );
}

#[test]
fn realtime_lines() {
    let when = "2026-05-23T14:00:00.000Z";
    let check = |name: &str, data: Value, expected: [&str; 4]| {
        let mut record = data.clone();
        record["type"] = name.into();
        record["timestamp"] = when.into();
        check(Dialect::RealtimeLog, name, data, expected, &record, None);
    };
    check(
        "ping_request",
        json!({"echo": "health"}),
        ["ping_request", "mcp_client", "marcus", "Ping: health"],
    );
    check(
        "ping_request",
        json!({"echo": "x", "source": "seneca"}),
        ["ping_request", "seneca", "marcus", "Ping: x"],
    );
    check(
        "ping_response",
        json!({"echo": "x", "status": "online"}),
        [
            "ping_response",
            "marcus",
            "mcp_client",
            "Pong: x (Status: online)",
        ],
    );
    check(
        "task_request",
        json!({"source": "agent_1", "target": "marcus", "message": "More work please"}),
        ["task_request", "agent_1", "marcus", "More work please"],
    );
    check(
        "server_startup",
        json!({"provider": "sqlite"}),
        [
            "server_startup",
            "unknown",
            "unknown",
            r#"{"provider":"sqlite"}"#,
        ],
    );
    // A page throws on a source that is no string.
    check(
        "odd",
        json!({"source": 3, "message": ""}),
        ["odd", "unknown", "unknown", r#"{"message":"","source":3}"#],
    );
}

#[test]
fn bus_events_read_like_lines() {
    let said = |name: &str, data: Value| {
        let (event_type, source, target, message, ..) = row(Dialect::Canonical, name, data);
        [event_type, source, target, message]
    };
    assert_eq!(
        said(
            "task_assigned",
            json!({"agent_id": "agent_1", "task_id": "t1", "task_name": "Build"})
        ),
        [
            "task_assigned",
            "marcus",
            "agent_1",
            "Task Build assigned to agent_1"
        ]
    );
    assert_eq!(
        said(
            "task_blocked",
            json!({"source": "agent_1", "agent_id": "agent_1", "task_id": "t1", "blocker": "No key"})
        ),
        [
            "task_blocked",
            "agent_1",
            "marcus",
            "Task t1 is blocked: No key"
        ]
    );
    assert_eq!(
        said(
            "task.progress",
            json!({"source": "agent_1", "task_id": "t1", "message": "half way"})
        ),
        ["task.progress", "agent_1", "marcus", "half way"]
    );
    assert_eq!(
        said("custom", json!({"a": 1})),
        ["custom", "marcus", "unknown", r#"{"a":1}"#]
    );
    assert_eq!(
        said(
            "worker_communication",
            json!({"worker_id": "agent_1", "conversation_type": "worker_to_pm", "message": "Hi"})
        ),
        ["worker_message", "agent_1", "marcus", "Hi"]
    );
}

#[test]
fn other_structured_lines_are_dropped() {
    let other = event(
        Dialect::Conversation,
        "MCP tool create_task failure",
        json!({"error": "x"}),
    );
    assert!(conversation_fields(&other).is_none());
}

#[test]
fn the_object_has_every_field_of_senecas_own() {
    let event = event(
        Dialect::Conversation,
        "pm_thinking",
        json!({"thought": "Hm"}),
    );
    let object = conversation_fields(&event).unwrap().to_object();
    for key in [
        "id",
        "timestamp",
        "source",
        "target",
        "event_type",
        "message",
        "metadata",
        "confidence",
        "duration_ms",
    ] {
        assert!(object.contains_key(key), "{key}");
    }
    assert_eq!(object["duration_ms"], Value::Null);
    assert_eq!(object["timestamp"], "2026-05-23T14:00:00.000Z");
}

#[test]
fn careless_scores_and_texts_can_be_printed() {
    let careless = json!({
        "decision": {"choice": "B"}, "confidence_score": "0.9",
        "alternatives_considered": [null, "Plan C", {"name": "Plan D"}],
    });
    let decision = event(Dialect::Conversation, "pm_decision", careless);
    let page = conversation_fields(&decision).unwrap().page_fields();
    assert_eq!(page["message"], r#"{"choice":"B"}"#);
    assert_eq!(page["confidence"], 0.9);
    assert_eq!(page["metadata"]["confidence_score"], 0.9);
    assert_eq!(
        page["metadata"]["alternatives"],
        json!([
            {"id": "Plan C", "name": "Plan C", "score": 0.0},
            {"id": "Plan D", "name": "Plan D", "score": 0.0},
        ])
    );
    let logged = event(
        Dialect::Canonical,
        "decision.logged",
        json!({"what": 42, "why": null, "confidence": "high", "confidence_score": "high"}),
    );
    let page = conversation_fields(&logged).unwrap().page_fields();
    assert_eq!(page["message"], "42");
    for key in ["confidence", "confidence_score"] {
        assert_eq!(page["metadata"][key], Value::Null, "{key}");
    }
    assert_eq!(page["confidence"], Value::Null);
    // The other spelling says it, in whatever way.
    let logged = event(
        Dialect::Canonical,
        "decision.logged",
        json!({"decision": "Go", "confidence": "0.7", "confidence_score": "high"}),
    );
    let page = conversation_fields(&logged).unwrap().page_fields();
    assert_eq!(page["metadata"]["confidence_score"], 0.7);
    assert_eq!(page["metadata"]["confidence"], 0.7);
    let said = event(
        Dialect::Conversation,
        "worker_communication",
        json!({"message": [1], "metadata": {"confidence_score": "NaN"}}),
    );
    let page = conversation_fields(&said).unwrap().page_fields();
    assert_eq!(page["message"], "[1]");
    assert_eq!(page["metadata"]["confidence_score"], Value::Null);
}
