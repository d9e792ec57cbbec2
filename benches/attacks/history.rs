//! Questions to the history that find nothing.

use serde_json::json;

use super::{Attack, Target};

pub(crate) const ATTACK: Attack = Attack {
    name: "history",
    what: "60,000 events, then 64 requests at once for a type that there is none of, ten times",
    prepare: Some(|target| Box::pin(prepare(target))),
    run: |target| Box::pin(run(target)),
    ..Attack::NONE
};

const EVENTS: usize = 60_000;
const BATCH: usize = 500;
const REQUESTS: usize = 64;
const ROUNDS: usize = 10;

async fn prepare(target: Target) {
    let client = Target::client();
    for batch in 0..target.scaled(EVENTS) / BATCH {
        let events: Vec<_> = (0..BATCH)
            .map(|n| {
                json!({ "type": "task.progress", "data": {
                    "task_id": format!("t{n}"), "progress": batch, "message": "x".repeat(200) } })
            })
            .collect();
        target.publish(&client, json!(events).to_string()).await;
    }
}

async fn run(target: Target) {
    let client = Target::client();
    for _ in 0..ROUNDS {
        let calls: Vec<_> = (0..REQUESTS)
            .map(|_| {
                let url = target.url("/api/v1/events?type=nothing.here");
                let call = client.get(url).send();
                tokio::spawn(async move {
                    if let Ok(answer) = call.await {
                        answer.bytes().await.ok();
                    }
                })
            })
            .collect();
        for call in calls {
            call.await.expect("no panic");
        }
    }
}
