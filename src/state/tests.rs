//! The fold over the real streams, its bounds, and its checkpoint.

use serde_json::{Value, json};

use super::State;
use crate::{
    access::Sight,
    event::{self, Event, Timestamp},
};

fn event(value: Value) -> Event {
    let intake = event::Intake {
        now: Timestamp::now(),
        producer: "test",
        max_depth: 32,
    };
    event::parse(value, &intake).unwrap()
}

fn json_of(state: &State, project: Option<&str>) -> Value {
    serde_json::from_str(&state.snapshot("c", Timestamp::now(), project, &Sight::everything()))
        .unwrap()
}

fn folded(file: &str) -> State {
    let mut state = State::new(10_000, 1_000);
    for line in std::fs::read_to_string(format!("tests/data/{file}.jsonl"))
        .unwrap()
        .lines()
    {
        state.apply(&event(serde_json::from_str(line).unwrap()));
    }
    state
}

#[test]
fn both_streams_end_with_everything_done() {
    let bus = json_of(&folded("marcus-events"), None);
    assert_eq!(bus["counts"]["agents"], 6);
    assert_eq!(
        (&bus["counts"]["tasks"], &bus["counts"]["tasks_done"]),
        (&json!(40), &json!(40))
    );
    let project = bus["projects"]
        .as_object()
        .unwrap()
        .values()
        .next()
        .unwrap();
    assert_eq!(
        (&project["status"], &project["progress"]),
        (&json!("completed"), &json!(100))
    );
    assert_eq!(
        bus["counts"]["projects"], 1,
        "the board and the project are one: {}",
        bus["projects"]
    );
    for agent in bus["agents"].as_object().unwrap().values() {
        assert_eq!(agent["task_id"], Value::Null, "{agent}");
        assert!(
            agent["role"].is_string() && agent["name"].is_string() && agent["skills"].is_array(),
            "{agent}"
        );
    }
    let log = json_of(&folded("marcus-conversations"), None);
    assert_eq!(
        (&log["counts"]["agents"], &log["counts"]["decisions"]),
        (&json!(6), &json!(54))
    );
}

#[test]
fn a_task_goes_its_way() {
    let mut state = State::new(100, 1_000);
    let mut step = |kind: &str, data: Value| {
        state.apply(&event(
            json!({ "type": kind, "data": data, "project_id": "p1" }),
        ));
        json_of(&state, None)
    };
    step(
        "agent_registered",
        json!({ "agent_id": "a", "agent_name": "Ada" }),
    );
    let now = step(
        "task_assigned",
        json!({ "agent_id": "a", "task_id": "t", "task_name": "Build" }),
    );
    assert_eq!(
        (&now["tasks"]["t"]["status"], &now["agents"]["a"]["task_id"]),
        (&json!("in_progress"), &json!("t"))
    );
    let now = step(
        "task_progress",
        json!({ "agent_id": "a", "task_id": "t", "progress": 40, "status": "in_progress" }),
    );
    assert_eq!(now["tasks"]["t"]["progress"], 40);
    let now = step(
        "task_blocked",
        json!({ "agent_id": "a", "task_id": "t", "blocker": "no key" }),
    );
    assert_eq!(
        (&now["tasks"]["t"]["status"], &now["tasks"]["t"]["blocker"]),
        (&json!("blocked"), &json!("no key"))
    );
    let now = step(
        "blocker_resolved",
        json!({ "agent_id": "a", "task_id": "t" }),
    );
    assert_eq!(
        (&now["tasks"]["t"]["status"], &now["tasks"]["t"]["blocker"]),
        (&json!("in_progress"), &Value::Null)
    );
    let now = step(
        "task_completed",
        json!({ "agent_id": "a", "task_id": "t", "success": true }),
    );
    assert_eq!(
        (&now["tasks"]["t"]["status"], &now["agents"]["a"]["task_id"]),
        (&json!("done"), &Value::Null)
    );
    assert_eq!(now["counts"]["tasks_done"], 1);
}

#[test]
fn runs_jobs_and_health() {
    let mut state = State::new(100, 1_000);
    for value in [
        json!({ "type": "workflow.run.created", "run": { "id": "r1", "workflow_id": "w" } }),
        json!({ "type": "workflow.node.started", "data": { "execution_id": "r1", "node_id": "n3" } }),
        json!({ "type": "ingest.job.failed", "job": { "id": "j1", "stage": "PARSE" }, "errorMessage": "bad file" }),
        json!({ "type": "agent.run.completed", "run": { "id": "x1", "status": "completed" } }),
        json!({ "type": "system.health.changed", "data": { "severity": "critical", "message": "disk" } }),
    ] {
        state.apply(&event(value));
    }
    let now = json_of(&state, None);
    assert_eq!(
        (
            &now["runs"]["r1"]["kind"],
            &now["runs"]["r1"]["current_node"]
        ),
        (&json!("execution"), &json!("n3"))
    );
    assert_eq!(
        (&now["runs"]["j1"]["status"], &now["runs"]["j1"]["stage"]),
        (&json!("failed"), &json!("PARSE"))
    );
    assert_eq!(now["runs"]["x1"]["status"], "completed");
    assert_eq!(now["health"]["severity"], "critical");
}

#[test]
fn one_project_only() {
    let mut state = State::new(100, 1_000);
    for (project, agent, task) in [("p1", "a1", "t1"), ("p2", "a2", "t2")] {
        state.apply(&event(
            json!({ "type": "project_created", "data": { "project_id": project } }),
        ));
        state.apply(&event(json!({ "type": "task_assigned", "project_id": project, "data": { "agent_id": agent, "task_id": task } })));
    }
    let one = json_of(&state, Some("p1"));
    assert!(
        one["agents"]["a1"].is_object()
            && one["tasks"]["t1"].is_object()
            && one["projects"]["p1"].is_object()
    );
    assert!(
        !one.to_string().contains("p2") && !one.to_string().contains("t2"),
        "{one}"
    );
}

#[test]
fn bounded_and_the_finished_go_first() {
    let mut state = State::new(3, 1_000);
    for n in 0..3 {
        state.apply(&event(
            json!({ "type": "task_created", "data": { "task_id": format!("t{n}") } }),
        ));
    }
    state.apply(&event(
        json!({ "type": "task_completed", "data": { "task_id": "t1" } }),
    ));
    state.apply(&event(
        json!({ "type": "task_created", "data": { "task_id": "t3" } }),
    ));
    let now = json_of(&state, None);
    assert!(
        now["tasks"]["t1"].is_null()
            && now["tasks"]["t0"].is_object()
            && now["tasks"]["t3"].is_object()
    );
    assert_eq!(now["counts"]["evicted"], 1);
    let wide: Value = (0..200)
        .map(|n| (format!("k{n}"), json!(n)))
        .collect::<serde_json::Map<_, _>>()
        .into();
    state.apply(&event(
        json!({ "type": "agent.moved", "data": { "agent_id": "a", "facts": wide } }),
    ));
}

#[test]
fn a_checkpoint_is_the_state() {
    for file in ["marcus-events", "marcus-conversations"] {
        let state = folded(file);
        assert_eq!(
            State::from_checkpoint(&state.to_checkpoint()).unwrap(),
            state
        );
    }
    assert_eq!(State::from_checkpoint("{}"), None);
}
