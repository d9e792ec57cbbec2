//! Texts of agents, which the state does not keep, and tasks that begin once more.

use super::*;

fn tell(state: &mut State, kind: &str, data: &Value) {
    let at = "2026-01-02T03:04:05.678Z";
    state.apply(&event(
        json!({ "type": kind, "project_id": "p", "timestamp": at, "data": data }),
    ));
}

#[test]
fn the_role_of_a_text_is_not_its_agents() {
    let mut state = fresh(at_most(100));
    let ada = json!({ "agent_id": "a", "name": "Ada", "role": "Engineer" });
    tell(&mut state, "agent.registered", &ada);
    let before = json_of(&state, None)["agents"]["a"].clone();
    for turn in ["started", "appended", "completed"] {
        for kind in ["message", "reasoning"] {
            let text = json!({ "agent_id": "a", "message_id": "m", "role": "assistant", "kind": kind, "content": "Hm" });
            tell(&mut state, &format!("agent.{kind}.{turn}"), &text);
        }
    }
    assert_eq!(json_of(&state, None)["agents"]["a"], before);
    assert_eq!(before["role"], "Engineer");
}

#[test]
fn a_task_that_failed_goes_on_with_another_attempt() {
    let mut state = fresh(at_most(100));
    let task = json!({ "task_id": "t", "agent_id": "a" });
    tell(&mut state, "task.assigned", &task);
    tell(&mut state, "task.failed", &task);
    assert_eq!(json_of(&state, None)["agents"]["a"]["busy"], false);
    let again = json!({ "task_id": "t", "agent_id": "a", "attempt": 2, "max_attempts": 3, "error": "Timeout", "retry_in_ms": 500 });
    tell(&mut state, "task.retried", &again);
    let told = json_of(&state, None);
    let (task, agent) = (&told["tasks"]["t"], &told["agents"]["a"]);
    assert_eq!(
        (&task["status"], &task["attempt"], &task["max_attempts"]),
        (&json!("in_progress"), &json!(2), &json!(3))
    );
    assert_eq!(
        (&agent["busy"], &agent["task_id"]),
        (&json!(true), &json!("t"))
    );
    assert!(task.get("error").is_none() && task.get("retry_in_ms").is_none());
}
