//! The fold over the real streams, its bounds, and its checkpoint.

use serde_json::{Value, json};

use super::State;
use crate::{
    access::{House, Rules, Sight},
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

/// What one sees who may see these projects.
fn seen(state: &State, projects: &[&str]) -> Value {
    let house = House {
        rules: Rules::default(),
        belongings: state.belongings().clone(),
    };
    let projects = projects.iter().map(ToString::to_string).collect();
    let sight = Sight::new(Some("ann".into()), None, Some(projects), house.into()).unwrap();
    serde_json::from_str(&state.snapshot("c", Timestamp::now(), None, &sight)).unwrap()
}

#[test]
fn what_an_agent_does_on_a_task_is_said_to_those_who_may_see_the_task() {
    let mut state = State::new(100, 1_000);
    for value in [
        json!({ "type": "agent.registered", "data": { "agent_id": "a", "agent_name": "Ada" } }),
        json!({ "type": "task.created", "project_id": "p2", "data": { "task_id": "t-secret" } }),
        // These leave the project out.
        json!({ "type": "task.assigned", "data": { "agent_id": "a", "task_id": "t-secret" } }),
        json!({ "type": "agent.status_changed", "data": { "agent_id": "a", "task_id": "t-secret", "note": "secret" } }),
        // Of the same name in two projects.
        json!({ "type": "task.created", "project_id": "p1", "data": { "task_id": "1", "name": "ours" } }),
        json!({ "type": "task.created", "project_id": "p2", "data": { "task_id": "1", "name": "secret" } }),
        json!({ "type": "task.progress", "data": { "agent_id": "a", "task_id": "1", "message": "secret" } }),
        // A job and an execution of the same id are not the same.
        json!({ "type": "workflow.run.started", "data": { "execution_id": "7", "owner_id": "bob", "plan": "secret" } }),
        json!({ "type": "ingest.job.started", "data": { "job_id": "7", "owner_id": "ann", "stage": "parse" } }),
    ] {
        state.apply(&event(value));
    }
    let spied = seen(&state, &["p1"]);
    assert!(!spied.to_string().contains("secret"), "{spied}");
    assert_eq!(spied["agents"]["a"]["name"], "Ada");
    assert_eq!(spied["tasks"]["1"]["name"], "ours");
    assert_eq!(spied["runs"]["7"]["stage"], "parse");
    let whole = seen(&state, &["p1", "p2"]);
    assert_eq!(whole["agents"]["a"]["note"], "secret");
    assert_eq!(whole["tasks"]["1"]["message"], "secret");
    // Restored it shows no more and no less.
    let again = State::from_checkpoint(&state.to_checkpoint()).unwrap();
    for projects in [&["p1"][..], &["p1", "p2"]] {
        let (mut before, mut after) = (seen(&state, projects), seen(&again, projects));
        for snapshot in [&mut before, &mut after] {
            for key in ["timestamp", "server_time"] {
                snapshot[key].take();
            }
        }
        assert_eq!(before, after);
    }
}
