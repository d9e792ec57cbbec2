//! A burst of events that all name the same things.

use serde_json::json;

use super::{Attack, Target};

pub(crate) const ATTACK: Attack = Attack {
    name: "one-entity",
    what: "16,000 assignments about the same task, agent, run, job, node and message, in 16 calls at once",
    run: |target| Box::pin(run(target)),
    ..Attack::NONE
};

const CALLS: usize = 16;
const EVENTS: usize = 1_000;

async fn run(target: Target) {
    let event = json!({ "type": "task.assigned", "data": {
        "task_id": "t", "agent_id": "a", "run_id": "r", "job_id": "j", "node_id": "n", "message_id": "m" } });
    let body = json!(vec![event; target.scaled(EVENTS)]).to_string();
    let calls: Vec<_> = (0..CALLS)
        .map(|_| {
            let (target, body) = (target.clone(), body.clone());
            tokio::spawn(async move { target.publish(&Target::client(), body).await })
        })
        .collect();
    for call in calls {
        call.await.expect("no panic");
    }
}
