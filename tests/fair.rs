//! Producers take turns: one that floods, by whatever priority, is before nobody else by more than a few updates.
#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used)]

mod common;

use common::{Client, server_with};
use serde_json::{Value, json};

/// How much of the flood is kept before the others publish.
const FLOOD: usize = 4_000;

fn event(id: &str, priority: &str) -> Value {
    json!({ "type": "a.b", "data": { "task_id": id }, "priority": priority })
}

#[tokio::test(flavor = "multi_thread")]
async fn a_flood_is_not_before_others_whatever_it_claims() {
    for claimed in ["normal", "high"] {
        // Flushes a second apart: all of it waits when the other one's comes.
        let server = server_with(|c| {
            c.pace.flush_interval_ms = 1_000;
            c.performance.flush_max = 200;
        })
        .await;
        let address = server.address();
        let auth = json!({ "role": "producer" });
        let (mut watcher, _) = Client::connect(address, json!({})).await;
        let (mut flooder, _) = Client::connect(address, auth.clone()).await;
        let (mut good, _) = Client::connect(address, auth).await;
        for part in 0..FLOOD / 1_000 {
            let events: Vec<_> = (0..1_000)
                .map(|n| event(&format!("f{part}-{n}"), claimed))
                .collect();
            assert_eq!(
                flooder.call("publish", json!(events)).await["accepted"],
                1_000
            );
        }
        for n in 0..5 {
            let answer = good
                .call("publish", event(&format!("good{n}"), "normal"))
                .await;
            assert_eq!(answer["accepted"], 1);
        }
        let (mut before, mut seen) = (0, 0);
        while seen < 5 {
            let update = watcher.event("generic_update").await;
            let id = update["data"]["task_id"].as_str().unwrap();
            match id.starts_with("good") {
                true => seen += 1,
                false => before += 1,
            }
        }
        assert!(before < FLOOD / 2, "{claimed}: behind {before} of {FLOOD}");
        server.shutdown().await;
    }
}
