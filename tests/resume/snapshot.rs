//! A snapshot and what follows it.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use kit::{Client, get, server_with};

/// The picture that a page makes of a snapshot and the updates after it, in the facts that can be compared.
#[derive(Debug, Default, PartialEq)]
struct Folded {
    decisions: u64,
    status: BTreeMap<String, String>,
    progress: BTreeMap<String, u64>,
}

impl Folded {
    fn of_state(state: &Value) -> Self {
        let facts = |kind: &str, fact: &str| {
            let entities = state[kind].as_object().expect("entities").iter();
            let known = entities.filter(|(_, e)| !e[fact].is_null());
            known
                .map(|(id, e)| (id.clone(), e[fact].clone()))
                .collect::<Vec<_>>()
        };
        let text = |v: Value| v.as_str().expect("text").to_owned();
        Self {
            decisions: state["counts"]["decisions"].as_u64().expect("a count"),
            status: facts("agents", "status")
                .into_iter()
                .map(|(id, v)| (id, text(v)))
                .collect(),
            progress: facts("tasks", "progress")
                .into_iter()
                .map(|(id, v)| (id, v.as_u64().expect("a number")))
                .collect(),
        }
    }

    fn apply(&mut self, name: &str, update: &Value) {
        let text = |v: &Value| v.as_str().expect("text").to_owned();
        match name {
            "decision_event" => self.decisions += 1,
            "agent_status_change" => {
                self.status
                    .insert(text(&update["agent_id"]), text(&update["new_status"]));
            }
            "progress_update" => {
                let progress = update["progress"].as_u64().expect("a number");
                self.progress.insert(text(&update["task_id"]), progress);
            }
            _ => {}
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_snapshot_and_what_follows_it_is_the_state_whenever_one_joins() {
    const EVENTS: u64 = 1_500;
    // Nobody reads before all is published, however long that takes.
    let server = server_with(|c| {
        c.server.ping_interval.set(600.0).unwrap();
        c.server.stall_timeout.set(600.0).unwrap();
    })
    .await;
    let address = server.address();
    let publishing = tokio::spawn(async move {
        let (mut producer, _) = Client::connect(
            address,
            json!({ "role": "producer", "filters": { "types": ["none"] } }),
        )
        .await;
        let mut last = Value::Null;
        for n in 0..EVENTS {
            let event = match n % 3 {
                0 => json!({ "type": "decision.logged", "data": { "what": "x" } }),
                1 => {
                    json!({ "type": "task.progress", "data": { "task_id": format!("t{}", n % 5), "agent_id": "a0", "progress": n } })
                }
                _ => {
                    json!({ "type": "agent.status.changed", "data": { "agent_id": format!("a{}", n % 7), "old_status": "s", "new_status": format!("s{n}") } })
                }
            };
            last = producer.call("publish", event).await["cursor"].take();
        }
        last
    });
    // Each joins a random while after the one before, half of them by the cursor of a snapshot fetched over HTTP.
    let mut joined = Vec::new();
    let mut random = 0x9e37_79b9_7f4a_7c15_u64;
    while !publishing.is_finished() || joined.is_empty() {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        tokio::time::sleep(std::time::Duration::from_micros(random % 40_000)).await;
        if random.is_multiple_of(2) {
            let (mut client, _) = Client::connect(address, json!({ "snapshot": true })).await;
            let snapshot = client.event("snapshot").await;
            joined.push((Folded::of_state(&snapshot), client));
        } else {
            let (_, snapshot) = get(address, "/api/v1/state").await;
            let auth = json!({ "cursor": snapshot["cursor"] });
            joined.push((
                Folded::of_state(&snapshot),
                Client::connect(address, auth).await.0,
            ));
        }
    }
    let last = publishing.await.expect("published");
    let mut state = get(address, "/api/v1/state").await.1;
    while state["cursor"] != last {
        state = get(address, "/api/v1/state").await.1;
    }
    let state = Folded::of_state(&state);
    assert_eq!(state.decisions, EVENTS / 3);
    for (mut folded, mut client) in joined {
        while folded != state {
            let (name, update) = client.next().await.expect("the connection holds");
            folded.apply(&name, &update);
            assert!(
                folded.decisions <= state.decisions,
                "something counts twice"
            );
        }
        // And nothing comes that would change it again.
        for (name, update) in client.so_far().await {
            folded.apply(&name, &update);
        }
        assert_eq!(folded, state);
    }
    server.shutdown().await;
}
