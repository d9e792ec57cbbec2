//! A producer that publishes as fast as it can and claims nothing: what the bystander publishes is no more urgent.

use serde_json::json;

use super::{Attack, Target};

pub(crate) const ATTACK: Attack = Attack {
    name: "normal-flood",
    what: "one producer with four calls at once, 500 events of normal priority a call, 800 calls",
    run: |target| Box::pin(run(target)),
    ..Attack::NONE
};

const AT_ONCE: usize = 4;
const CALLS: usize = 200;
const EVENTS: usize = 500;

async fn run(target: Target) {
    let calls: Vec<_> = (0..AT_ONCE)
        .map(|call| {
            let target = target.clone();
            let events: Vec<_> = (0..EVENTS)
                .map(|n| {
                    json!({ "type": "note.said", "priority": "normal",
                        "data": { "task_id": format!("t{call}-{n}") } })
                })
                .collect();
            let body = json!(events).to_string();
            tokio::spawn(async move {
                let client = Target::client();
                for _ in 0..target.scaled(CALLS) {
                    let status = target.publish(&client, body.clone()).await;
                    assert_eq!(status.map(|s| s.as_u16()), Some(202));
                }
            })
        })
        .collect();
    for call in calls {
        call.await.expect("all is taken");
    }
}
