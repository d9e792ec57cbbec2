//! The fold over the real streams, its checkpoint, and the snapshots of it.

mod bounds;
mod calls;
mod inputs;
mod namesakes;
mod plans;
mod texts;
mod usage;

use std::cell::RefCell;

use serde_json::{Value, json};

use std::sync::atomic::Ordering;

use super::{Limits, Picture, Snapshot, State, Text, Walk};
use crate::{
    access::authz::{Permissions, Policy},
    config::Rules,
    event::{self, Event},
    ledger::{Ledger, Speaker},
    timestamp::Timestamp,
};

thread_local! {
    /// Settles the events of the test that runs on this thread.
    static LEDGER: RefCell<Ledger> = RefCell::new(Ledger::new(100_000));
}

/// A state without facts, and an empty ledger.
fn fresh(limits: Limits) -> State {
    LEDGER.replace(Ledger::within(limits.known));
    State::new(limits)
}

/// An event as the intake settles one of a producer without limits.
fn event(value: Value) -> Event {
    let intake = event::ParseContext {
        now: Timestamp::now(),
        producer: "test",
        max_depth: 32,
    };
    let mut event = event::parse(value, &intake).unwrap();
    let nobody = "".into();
    let speaker = Speaker {
        producer: &nobody,
        projects: None,
    };
    LEDGER.with_borrow(|ledger| ledger.settle(&mut event, speaker).unwrap());
    event
}

/// Limits with so many entities of a kind, otherwise the defaults.
fn at_most(max_entities: usize) -> Limits {
    Limits {
        max_entities,
        ..Limits::default()
    }
}

fn json_of(state: &State, project: Option<&str>) -> Value {
    serde_json::from_str(&state.snapshot(
        "c",
        Timestamp::now(),
        project,
        &Permissions::everything(),
    ))
    .unwrap()
}

fn folded(file: &str) -> State {
    let mut state = fresh(at_most(10_000));
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
fn of_a_fact_that_many_projects_said_the_latest_is_shown_once() {
    let mut state = fresh(at_most(100));
    state.apply(&event(
        json!({ "type": "agent.updated", "data": { "agent_id": "a", "name": "Ann" } }),
    ));
    // There are more audiences than an agent has parts: some of its facts are then shown only to clients that see
    // everything.
    for round in 0..3 {
        for project in 0..12 {
            let data =
                json!({ "agent_id": "a", "role": format!("{round}.{project}"), "name": "Ann" });
            let project = format!("p{project}");
            state.apply(&event(
                json!({ "type": "agent.updated", "data": data, "project_id": project }),
            ));
        }
    }
    let walk = Walk::new(state.picture(), Permissions::everything(), None);
    let text = walk.whole("c", Timestamp::now());
    assert_eq!(text.matches(r#""name":"Ann""#).count(), 1, "{text}");
    assert_eq!(text.matches(r#""role""#).count(), 1, "{text}");
    assert!(text.contains(r#""role":"2.11""#), "{text}");
}

#[test]
fn a_task_goes_its_way() {
    let mut state = fresh(at_most(100));
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
    let mut state = fresh(at_most(100));
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
    let mut state = fresh(at_most(100));
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
fn a_checkpoint_is_the_state() {
    for file in ["marcus-events", "marcus-conversations"] {
        let state = folded(file);
        assert_eq!(
            State::from_checkpoint(&state.to_checkpoint(), &Limits::default()).unwrap(),
            state
        );
    }
    assert_eq!(State::from_checkpoint("{}", &Limits::default()), None);
}

/// The snapshot of a client that may see these projects.
fn seen(state: &State, projects: &[&str]) -> Value {
    let policy = Policy {
        rules: Rules::default(),
        ledger: Ledger::new(10).into(),
    };
    let projects = projects.iter().map(ToString::to_string).collect();
    let permissions =
        Permissions::new(Some("ann".into()), None, Some(projects), policy.into()).unwrap();
    serde_json::from_str(&state.snapshot("c", Timestamp::now(), None, &permissions)).unwrap()
}

#[test]
fn what_an_agent_does_on_a_task_is_said_to_those_who_may_see_the_task() {
    let mut state = fresh(at_most(100));
    for value in [
        json!({ "type": "agent.registered", "data": { "agent_id": "a", "agent_name": "Ada" } }),
        json!({ "type": "task.created", "project_id": "p2", "data": { "task_id": "t-secret" } }),
        // These events leave the project out.
        json!({ "type": "task.assigned", "data": { "agent_id": "a", "task_id": "t-secret" } }),
        json!({ "type": "agent.status_changed", "data": { "agent_id": "a", "task_id": "t-secret", "note": "secret" } }),
        // These have the same name in two projects.
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
    assert_eq!(whole["tasks"]["/1"]["message"], "secret");
    // Restored it shows no more and no less.
    let again = State::from_checkpoint(&state.to_checkpoint(), &Limits::default()).unwrap();
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

fn fold(state: &mut State, values: impl IntoIterator<Item = Value>) {
    values
        .into_iter()
        .for_each(|value| state.apply(&event(value)));
}

#[test]
fn an_agent_at_rest_works_while_it_has_a_task() {
    let mut state = fresh(Limits::default());
    let step = |state: &mut State, kind: &str, data: Value| {
        fold(
            state,
            [json!({ "type": kind, "project_id": "p1", "data": data })],
        );
        let agent = json_of(state, None)["agents"]["a"].take();
        (agent["status"].clone(), agent["task_id"].clone())
    };
    let task = |id: &str| json!({ "agent_id": "a", "task_id": id });
    let working = |id: &str| (json!("working"), json!(id));
    let agent = |status: &str| json!({ "agent_id": "a", "status": status });
    assert_eq!(
        step(&mut state, "agent.registered", agent("idle")),
        (json!("idle"), Value::Null)
    );
    assert_eq!(step(&mut state, "task.assigned", task("1")), working("1"));
    assert_eq!(step(&mut state, "task.assigned", task("2")), working("2"));
    assert_eq!(step(&mut state, "task.completed", task("2")), working("1"));
    assert_eq!(
        step(&mut state, "agent.status_changed", agent("blocked")),
        (json!("blocked"), json!("1"))
    );
    assert_eq!(
        step(&mut state, "agent.status_changed", agent("idle")),
        (json!("idle"), json!("1"))
    );
    assert_eq!(step(&mut state, "task.progress", task("1")), working("1"));
    assert_eq!(
        step(&mut state, "task.completed", task("1")),
        (json!("idle"), Value::Null)
    );
    fold(
        &mut state,
        [json!({ "type": "workflow.run.started", "data": { "execution_id": "r" } })],
    );
    for (change, status) in [
        ("paused", "paused"),
        ("resumed", "running"),
        ("canceled", "cancelled"),
    ] {
        fold(
            &mut state,
            [json!({ "type": format!("workflow.run.{change}"), "data": { "execution_id": "r" } })],
        );
        assert_eq!(json_of(&state, None)["runs"]["r"]["status"], status);
    }
}

#[test]
fn the_parts_of_a_snapshot_are_the_whole() {
    let mut state = folded("marcus-events");
    fold(
        &mut state,
        (0..300).map(|n| json!({ "type": "task.created", "project_id": format!("p{}", n % 2), "data": { "task_id": format!("t{}", n / 2), "text": "x".repeat(n) } })),
    );
    let now = Timestamp::now();
    let walk = || Walk::new(state.picture(), Permissions::everything(), None);
    let whole: Value = serde_json::from_str(&walk().whole("c", now)).unwrap();
    let text: String = Text::new(walk(), "c".into(), now).collect();
    assert_eq!(serde_json::from_str::<Value>(&text).unwrap(), whole);
    assert_eq!(Snapshot::new(walk(), "c".into(), now, 1 << 20).parts(), 1);
    let snapshot = Snapshot::new(walk(), "c".into(), now, 4 * 1024);
    let parts = snapshot.parts();
    assert!(parts > 10, "{parts}");
    let mut joined = json!({});
    for n in 1..=parts {
        let text = snapshot.part(n).unwrap();
        assert!(text.len() < 6 * 1024, "{}", text.len());
        let part: Value = serde_json::from_str(&text).unwrap();
        assert_eq!((&part["part"], &part["parts"]), (&json!(n), &json!(parts)));
        assert_eq!(part["cursor"].is_null(), n < parts);
        for (key, value) in part.as_object().unwrap() {
            match value {
                Value::Object(map) => map.iter().for_each(|(k, v)| joined[key][k] = v.clone()),
                value => joined[key] = value.clone(),
            }
        }
    }
    for key in [
        "projects", "agents", "tasks", "runs", "health", "counts", "cursor",
    ] {
        let empty = json!({});
        assert_eq!(joined.get(key).unwrap_or(&empty), &whole[key], "{key}");
    }
    assert_eq!(snapshot.part(parts + 1), None);
}
