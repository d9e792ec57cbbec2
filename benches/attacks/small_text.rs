//! Text that is small and costs a hundred times as much once it is parsed.

use std::sync::Arc;

use super::{Attack, Target};

pub(crate) const ATTACK: Attack = Attack {
    name: "small-text",
    what: "1,000 events of 35 KB, each with 4,980 maps of one key; then a kill and a start on the same journal",
    run: |target| Box::pin(run(target)),
    restarts: true,
    ..Attack::NONE
};

const EVENTS: usize = 1_000;
const MAPS: usize = 4_980;
/// Calls at the same time.
const AT_ONCE: usize = 4;

/// The same as reports of the health, of which the server keeps a history for Seneca's pages.
pub(crate) const READINGS: Attack = Attack {
    name: "small-readings",
    what: "1,000 different reports of the health of 35 KB, each with 4,980 maps of one key, and their history is asked for; then a kill and a start on the same journal",
    run: |target| Box::pin(run_readings(target)),
    restarts: true,
    ..Attack::NONE
};

async fn run(target: Target) {
    publish(&target, |_, maps| {
        format!(r#"{{"type":"note.x","data":{{"l":[{maps}]}}}}"#)
    })
    .await;
}

async fn run_readings(target: Target) {
    publish(&target, |n, maps| {
        format!(
            r#"{{"type":"system.health.changed","data":{{"status":"{n}","timeline_prediction":{{"l":[{maps}]}}}}}}"#
        )
    })
    .await;
    let asked = Target::client().get(target.url("/api/health/history?hours=24"));
    let answer = asked.send().await.expect("an answer");
    let text = answer.text().await.expect("all of it");
    assert!(text.contains("\"count\""), "{text}");
}

async fn publish(target: &Target, body: fn(usize, &str) -> String) {
    let maps: Arc<str> = vec![r#"{"":0}"#; MAPS].join(",").into();
    let each = target.scaled(EVENTS) / AT_ONCE;
    let calls: Vec<_> = (0..AT_ONCE)
        .map(|call| {
            let (target, maps) = (target.clone(), maps.clone());
            tokio::spawn(async move {
                let client = Target::client();
                for n in call * each..(call + 1) * each {
                    target.publish(&client, body(n, &maps)).await;
                }
            })
        })
        .collect();
    for call in calls {
        call.await.expect("no panic");
    }
}
