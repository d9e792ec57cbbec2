//! Producers that publish as fast as they can and claim that all of it is urgent.

use serde_json::json;

use super::{Attack, Target};

pub(crate) const ATTACK: Attack = Attack {
    name: "urgent-flood",
    what: "four producers, 500 critical events a call, 200 calls each",
    run: |target| Box::pin(run(target)),
    ..Attack::NONE
};

const PRODUCERS: usize = 4;
const CALLS: usize = 200;
const EVENTS: usize = 500;

async fn run(target: Target) {
    let producers: Vec<_> = (0..PRODUCERS)
        .map(|producer| {
            let target = target.clone();
            let events: Vec<_> = (0..EVENTS)
                .map(|n| {
                    json!({ "type": "note.said", "priority": "critical",
                        "data": { "task_id": format!("t{producer}-{n}") } })
                })
                .collect();
            let body = json!(events).to_string();
            tokio::spawn(async move {
                let client = Target::client();
                for _ in 0..target.scaled(CALLS) {
                    target.publish(&client, body.clone()).await;
                }
            })
        })
        .collect();
    for producer in producers {
        producer.await.expect("no panic");
    }
}
