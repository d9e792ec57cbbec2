//! An engine that fails, and one that takes its place.

use std::collections::BTreeSet;

use kit::{Client, get, post, redis::Redis, until};
use serde_json::{Value, json};

use super::node;

fn task(id: &str) -> Value {
    json!({ "id": id, "type": "task.created", "project_id": "p", "data": { "task_id": id, "name": id } })
}

/// While the engine is away, what is known goes on being told, and nothing waits: a publisher is told to come back.
#[tokio::test(flavor = "multi_thread")]
async fn an_engine_that_is_away_is_said_to_be_and_the_node_heals() {
    let Some(mut engine) = Redis::lasting().await else {
        return;
    };
    let server = node(&engine, "one").await;
    let address = server.address();
    let (mut client, _) = Client::connect(address, json!({})).await;
    post(address, &task("a")).await;
    let seen = client.event("task_update").await;
    engine.kill();
    until("a refusal", async || {
        let (status, answer) = post(address, &task("b")).await;
        (status == 503 && answer["error"]["code"] == "unavailable").then_some(())
    })
    .await;
    until("readiness to say so", async || {
        (get(address, "/readyz").await.0 == 503).then_some(())
    })
    .await;
    let metrics = kit::metrics(address).await;
    assert!(metrics.contains("stoa_journal_engine_up 0"), "{metrics}");
    assert_eq!(get(address, "/healthz").await.0, 200);
    let (status, state) = get(address, "/api/v1/state").await;
    assert_eq!(
        (status, state["tasks"].as_object().map(serde_json::Map::len)),
        (200, Some(1))
    );
    let (late, hello) = Client::connect(address, json!({ "cursor": seen["cursor"] })).await;
    assert_eq!(hello["cursor"], seen["cursor"]);
    late.close().await;
    engine.again().await;
    until("the event to be taken", async || {
        (post(address, &task("b")).await.0 == 202).then_some(())
    })
    .await;
    assert_eq!(client.event("task_update").await["id"], "b");
    until("readiness", async || {
        (get(address, "/readyz").await.0 == 200).then_some(())
    })
    .await;
    // The cursor of before is good in the generation that the restart began.
    let (mut late, _) = Client::connect(address, json!({ "cursor": seen["cursor"] })).await;
    assert_eq!(late.event("task_update").await["id"], "b");
    let resumed = late.event("resumed").await;
    assert_eq!(
        (&resumed["complete"], &resumed["replayed"]),
        (&json!(true), &json!(1))
    );
    server.shutdown().await;
}

/// A replica is promoted that lacks the newest events. Clients that have them don't get them again, those that lack them do,
/// on whichever node, and all nodes have the same state.
#[tokio::test(flavor = "multi_thread")]
async fn a_lost_tail_is_healed_and_every_client_has_each_event_once() {
    let Some(mut engine) = Redis::start().await else {
        return;
    };
    let Some(replica) = Redis::start().await else {
        return;
    };
    let (one, two) = (node(&engine, "one").await, node(&engine, "two").await);
    let (mut here, _) = Client::connect(one.address(), json!({})).await;
    let (mut there, _) = Client::connect(two.address(), json!({})).await;
    let (mut away, _) = Client::connect(two.address(), json!({})).await;
    for id in ["a", "b"] {
        post(one.address(), &task(id)).await;
    }
    replica.follow(&engine).await;
    replica.promote().await;
    for id in ["c", "d", "e"] {
        assert_eq!(post(one.address(), &task(id)).await.0, 202);
    }
    for client in [&mut here, &mut there] {
        for id in ["a", "b", "c", "d", "e"] {
            assert_eq!(client.event("task_update").await["id"], id);
        }
    }
    // One that goes away has c, and not d and e.
    let mut cursor = Value::Null;
    for id in ["a", "b", "c"] {
        let update = away.event("task_update").await;
        assert_eq!(update["id"], id);
        cursor = update["cursor"].clone();
    }
    away.close().await;
    let port = engine.port();
    engine.kill();
    let engine = Redis::from_dump(port, &replica).await;
    until("another event to be taken", async || {
        (post(two.address(), &task("f")).await.0 == 202).then_some(())
    })
    .await;
    // Nobody who has c, d and e is told of them again.
    for client in [&mut here, &mut there] {
        assert_eq!(client.event("task_update").await["id"], "f");
    }
    let (mut back, _) = Client::connect(one.address(), json!({ "cursor": cursor })).await;
    let mut told = BTreeSet::new();
    for _ in 0..3 {
        let update = back.event("task_update").await;
        told.insert(update["id"].to_string());
    }
    assert_eq!(
        told.into_iter().collect::<Vec<_>>(),
        ["\"d\"", "\"e\"", "\"f\""]
    );
    let resumed = back.event("resumed").await;
    assert_eq!(
        (&resumed["complete"], &resumed["replayed"]),
        (&json!(true), &json!(3))
    );
    let mut states = Vec::new();
    for address in [one.address(), two.address()] {
        let tasks = until("all six tasks", async || {
            let (_, state) = get(address, "/api/v1/state").await;
            let tasks = state["tasks"].as_object()?.clone();
            (tasks.len() == 6).then_some(tasks)
        })
        .await;
        states.push(tasks);
    }
    assert_eq!(states[0], states[1]);
    // A node that comes later knows where the lost events are now.
    let three = node(&engine, "three").await;
    let (mut moved, _) = Client::connect(three.address(), json!({ "cursor": cursor })).await;
    for id in ["d", "e", "f"] {
        assert_eq!(moved.event("task_update").await["id"], id);
    }
    assert_eq!(moved.event("resumed").await["complete"], true);
    one.shutdown().await;
    two.shutdown().await;
    three.shutdown().await;
}

/// A node that starts while others publish has every event once: in its state, and as an update.
#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_starts_under_load_misses_nothing() {
    let Some(engine) = Redis::start().await else {
        return;
    };
    let one = node(&engine, "one").await;
    let address = one.address();
    let publishes = tokio::spawn(async move {
        for n in 0..80 {
            let events: Vec<Value> = (0..5).map(|k| task(&format!("e{n}-{k}"))).collect();
            assert_eq!(post(address, &Value::from(events)).await.0, 202);
        }
    });
    let mut nodes = Vec::new();
    while !publishes.is_finished() && nodes.len() < 3 {
        let late = node(&engine, &format!("late{}", nodes.len())).await;
        let (client, _) = Client::connect(late.address(), json!({ "snapshot": true })).await;
        nodes.push((late, client));
    }
    publishes.await.unwrap();
    for (late, client) in nodes {
        until("all tasks", async || {
            let (_, state) = get(late.address(), "/api/v1/state").await;
            let tasks = state["tasks"].as_object()?;
            (tasks.len() == 400).then_some(())
        })
        .await;
        client.close().await;
        late.shutdown().await;
    }
    one.shutdown().await;
}

/// An engine that was emptied keeps another journal: nobody is told that it has everything.
#[tokio::test(flavor = "multi_thread")]
async fn an_emptied_engine_is_not_hidden() {
    let Some(engine) = Redis::start().await else {
        return;
    };
    let server = node(&engine, "one").await;
    let address = server.address();
    let (mut client, _) = Client::connect(address, json!({})).await;
    post(address, &task("a")).await;
    let seen = client.event("task_update").await;
    engine.command(&["FLUSHALL"]).await;
    let resumed = client.event("resumed").await;
    assert_eq!(resumed["complete"], false, "{resumed}");
    let state = client.event("snapshot").await;
    assert_eq!(state["tasks"], json!({}), "{state}");
    post(address, &task("b")).await;
    assert_eq!(client.event("task_update").await["id"], "b");
    let (mut late, _) = Client::connect(address, json!({ "cursor": seen["cursor"] })).await;
    assert_eq!(late.event("resumed").await["complete"], false);
    server.shutdown().await;
}
