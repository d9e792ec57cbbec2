//! A producer that names ever new projects, users and things, by names as long as they may be.

use std::sync::Arc;

use serde_json::{Value, json};

use super::{Attack, Target};

pub(crate) const ATTACK: Attack = Attack {
    name: "tenants",
    what: "80,000 events by one producer, each with a project, a user, an agent, a task, a run, an execution, a workflow, a job, a source and a type that nobody named before, of 250 bytes each; then a kill and a start on the same journal",
    run: |target| Box::pin(run(target)),
    restarts: true,
    ..Attack::NONE
};

const EVENTS: usize = 80_000;
/// Events of one call.
const BATCH: usize = 200;
/// Calls at the same time.
const AT_ONCE: usize = 2;
/// Bytes that make a name long.
const LONG: usize = 240;

async fn run(target: Target) {
    let long: Arc<str> = "x".repeat(LONG).into();
    let each = target.scaled(EVENTS / BATCH) / AT_ONCE;
    let calls: Vec<_> = (0..AT_ONCE)
        .map(|call| {
            let (target, long) = (target.clone(), long.clone());
            tokio::spawn(async move {
                let client = Target::client();
                for batch in call * each..(call + 1) * each {
                    let first = batch * BATCH;
                    let events = (first..first + BATCH).map(|n| event(n, &long));
                    let body = Value::from_iter(events).to_string();
                    let status = target.publish(&client, body).await;
                    assert_eq!(status.map(|s| s.as_u16()), Some(202));
                }
            })
        })
        .collect();
    for call in calls {
        call.await.expect("all is taken");
    }
}

/// One of four is about a project and its name, the others are about everything else.
fn event(n: usize, long: &str) -> Value {
    let id = |kind: &str| format!("{kind}{n}-{long}");
    match n % 4 {
        0 => json!({ "type": "project.updated", "project_id": id("p"), "source": id("s"),
            "data": { "project_name": id("n"), "owner_id": id("u"), "agent_id": id("a"), "task_id": id("t") } }),
        kind => json!({ "type": format!("{}.tenant{n}", ["", "task", "workflow", "note"][kind]),
            "project_id": id("p"), "source": id("s"), "data": {
            "owner_id": id("u"), "agent_id": id("a"), "task_id": id("t"), "run_id": id("r"),
            "execution_id": id("e"), "workflow_id": id("w"), "job_id": id("j"), "name": id("n") } }),
    }
}
