//! The rows for texts that agents say and think, and for tasks that begin once more.

use serde_json::{Value, json};

use super::{
    of, plan,
    rows::{Row, row},
    table,
};
use crate::{
    event::Priority,
    update::{UpdateShape, render},
};

pub(super) fn texts() -> Vec<Row> {
    use Priority::{Low, Normal};
    let text = |name: &str, data: Value, shown: Value, key, animation| {
        row(
            name,
            data,
            &[("message_appended", shown)],
            Low,
            key,
            animation,
        )
    };
    let piece = json!({ "message_id": "m1", "agent_id": "a1", "content": "Hm" });
    let said =
        json!({ "message_id": "m1", "agent_id": "a1", "kind": "reasoning", "content": "Hm" });
    let failed = json!({ "task_id": "t1", "agent_id": "a1", "attempt": 2, "max_attempts": 3, "error": "Timeout", "retry_in_ms": 500 });
    let mut again = failed.clone();
    again["change_type"] = "retried".into();
    vec![
        text(
            "agent.message.started",
            json!({ "message_id": "m1", "agent_id": "a1", "role": "assistant" }),
            json!({ "data": { "message_id": "m1", "role": "assistant", "content": "" }, "hint": { "target": { "kind": "message", "id": "m1" } } }),
            None,
            "none",
        ),
        text(
            "agent_message_completed",
            json!({ "message_id": "m1", "agent_id": "a1", "finish_reason": "stop" }),
            json!({ "data": { "message_id": "m1", "content": "", "final": true, "finish_reason": "stop" } }),
            None,
            "none",
        ),
        text(
            "agent.message.appended",
            json!({ "message_id": "m1", "content": "The end.", "final": true }),
            json!({ "data": { "content": "The end.", "final": true } }),
            None,
            "flow",
        ),
        text(
            "agent.reasoning.appended",
            piece.clone(),
            json!({ "data": { "message_id": "m1", "kind": "reasoning", "content": "Hm" } }),
            Some("reasoning/m1"),
            "flow",
        ),
        text(
            "agent.message.appended",
            said.clone(),
            json!({ "data": said }),
            Some("text.reasoning/m1"),
            "flow",
        ),
        text(
            "agent.reasoning.completed",
            json!({ "message_id": "m1" }),
            json!({ "data": { "kind": "reasoning", "final": true } }),
            None,
            "none",
        ),
        text(
            "agent.message.appended",
            json!({ "message_id": "m1", "agent_id": "a1", "to_agent_id": "a2", "content": "For you" }),
            json!({ "hint": { "target": { "kind": "message", "id": "m1" }, "from": "a1", "to": "a2" } }),
            Some("text/m1"),
            "flow",
        ),
        row(
            "task.retried",
            failed,
            &[(
                "task_update",
                json!({ "data": again, "task_status": "in_progress", "hint": { "motion": "retry" } }),
            )],
            Normal,
            None,
            "flash",
        ),
    ]
}

#[test]
fn an_end_and_a_thought_are_told_in_the_lean_shape_too() {
    let data = |name: &str, data: Value| {
        let event = of(name, data);
        let planned = table().plan(&event, crate::channel::Listening::default());
        let text = render(
            &planned[0],
            &event,
            &super::Envelope {
                cursor: "c",
                coalesced: 1,
                data: None,
                since: None,
            },
            UpdateShape::Lean,
        );
        let update: Value = serde_json::from_str(&text).expect("JSON");
        (update["source_type"].clone(), update["data"].clone())
    };
    let id = json!({ "message_id": "m" });
    let (source, whole) = data("agent.message.completed", id.clone());
    assert_eq!(
        (source, whole),
        (
            json!("agent.message.completed"),
            json!({ "message_id": "m", "final": true })
        )
    );
    let (_, thought) = data(
        "agent.reasoning.appended",
        json!({ "message_id": "m", "content": "Hm", "kind": "text" }),
    );
    assert_eq!(
        thought,
        json!({ "message_id": "m", "content": "Hm", "kind": "reasoning" })
    );
    let (source, said) = data(
        "agent.message.appended",
        json!({ "message_id": "m", "content": "Hm" }),
    );
    assert_eq!(
        (source, said),
        (Value::Null, json!({ "message_id": "m", "content": "Hm" }))
    );
}

#[test]
fn other_events_of_messages_are_of_their_agent() {
    for name in [
        "agent.message.read",
        "agent.reasoning",
        "agent.message.x.started",
    ] {
        let update = plan(&table(), &of(name, json!({ "agent_id": "a" }))).remove(0);
        assert_eq!(update.1["type"], "agent_update", "{name}");
    }
}
