//! Batches of the workflow visualization, `?batch=true`: their size, their time and their rules.

use std::net::SocketAddr;

use kit::{counted, door::DoorClient, metrics, post, server, server_with, wait_for};
use serde_json::{Value, json};
use stoa::config::Config;

/// A client that takes batches and is a member already.
async fn batching(address: SocketAddr) -> DoorClient {
    let path = "/ws/visualization?batch=true";
    let mut client = DoorClient::open(address, path).await.unwrap();
    client.send(&json!({})).await;
    assert_eq!(client.next().await.unwrap()["status"], "error");
    client
}

/// Windows without end: a batch goes when it is full.
fn patient(config: &mut Config) {
    config.doors.visualization_batch_ms.set(10_000).unwrap();
}

/// Waits until so many updates wait for clients.
async fn waiting(address: SocketAddr, queue: &str, count: u64) {
    wait_for("updates that wait", async || {
        counted(address, queue).await == count
    })
    .await;
}

fn update(kind: &str, target: &str, priority: &str, changes: &Value) -> Value {
    json!({ "type": kind, "target_id": target, "priority": priority, "changes": changes })
}

fn node(at: usize) -> Value {
    update(
        "node_update",
        &format!("n{at}"),
        "medium",
        &json!({ "at": at }),
    )
}

fn targets(batch: &Value) -> Vec<&str> {
    let updates = batch["updates"].as_array().unwrap().iter();
    updates
        .map(|update| update["target_id"].as_str().unwrap())
        .collect()
}

#[tokio::test]
async fn a_batch_has_the_seeds_fields_and_goes_when_its_time_is_over() {
    let server = server().await;
    let address = server.address();
    let mut client = batching(address).await;
    let updates: Vec<_> = (0..3).map(node).collect();
    post(address, &json!(updates)).await;
    let batch = client.next().await.unwrap();
    assert_eq!(targets(&batch), ["n0", "n1", "n2"]);
    for key in ["batch_id", "timestamp", "cursor"] {
        assert!(batch[key].is_string(), "{key} of {batch}");
    }
    assert_eq!(batch["type"], "update_batch");
    assert_eq!(batch["requires_layout_update"], false);
    for update in batch["updates"].as_array().unwrap() {
        for key in [
            "update_id",
            "update_type",
            "timestamp",
            "priority",
            "id",
            "source_type",
        ] {
            assert!(update[key].is_string(), "{key} of {update}");
        }
        assert_eq!(update["metadata"], json!({}));
    }
    // One that is alone is a batch of its own.
    post(
        address,
        &update(
            "layout_update",
            "graph",
            "low",
            &json!({ "n0": { "x": 1 } }),
        ),
    )
    .await;
    let batch = client.next().await.unwrap();
    assert_eq!(targets(&batch), ["graph"]);
    assert_eq!(batch["requires_layout_update"], true);
    let told = metrics(address).await;
    for line in [
        "stoa_visualization_batch_updates_sum 4.0",
        "stoa_visualization_batch_updates_count 2",
    ] {
        assert!(told.lines().any(|l| l == line), "no {line:?} in {told}");
    }
}

#[tokio::test]
async fn a_batch_goes_when_it_is_full_and_an_answer_waits_for_none() {
    let server = server_with(patient).await;
    let address = server.address();
    let mut client = batching(address).await;
    let updates: Vec<_> = (0..24).map(node).collect();
    post(address, &json!(updates)).await;
    for from in [0, 10] {
        let batch = client.next().await.unwrap();
        let expected: Vec<_> = (from..from + 10).map(|at| format!("n{at}")).collect();
        assert_eq!(targets(&batch), expected);
    }
    let medium = "stoa_visualization_queue{priority=\"medium\"}";
    waiting(address, medium, 4).await;
    client.send(&node(99)).await;
    assert_eq!(client.next().await.unwrap()["status"], "accepted");
    // The rest waits; the client's own update is none of it.
    let more: Vec<_> = (24..30).map(node).collect();
    post(address, &json!(more)).await;
    let batch = client.next().await.unwrap();
    assert_eq!(targets(&batch)[..5], ["n20", "n21", "n22", "n23", "n24"]);
    assert_eq!(targets(&batch).len(), 10);
    assert_eq!(counted(address, medium).await, 0);
}

#[tokio::test]
async fn those_that_take_the_same_updates_share_a_batch() {
    let server = server_with(patient).await;
    let address = server.address();
    let mut clients = [batching(address).await, batching(address).await];
    let updates: Vec<_> = (0..10).map(node).collect();
    post(address, &json!(updates)).await;
    let mut ids = Vec::new();
    for client in &mut clients {
        ids.push(client.next().await.unwrap()["batch_id"].clone());
    }
    assert_eq!(ids[0], ids[1], "written once");
}

#[tokio::test]
async fn the_urgent_do_not_wait_and_stand_first_and_layouts_are_one() {
    let server = server_with(|config| {
        patient(config);
        config.transform.throttle_ms.set(0).unwrap();
    })
    .await;
    let address = server.address();
    let mut client = batching(address).await;
    let layout = |changes: Value| update("layout_update", "graph", "medium", &changes);
    let gentle = [
        update("node_update", "low", "low", &json!({})),
        layout(json!({ "a": 1, "b": 1 })),
        update("node_update", "medium", "medium", &json!({})),
        layout(json!({ "b": 2, "c": 2 })),
    ];
    for (at, update) in gentle.iter().enumerate() {
        post(address, update).await;
        waiting(address, "stoa_visualization_queue", at as u64 + 1).await;
    }
    post(address, &update("node_update", "high", "high", &json!({}))).await;
    let batch = client.next().await.unwrap();
    assert_eq!(targets(&batch), ["high", "graph", "medium", "low"]);
    let layout = &batch["updates"][1];
    assert_eq!(layout["changes"], json!({ "a": 1, "b": 2, "c": 2 }));
    assert_eq!(layout["coalesced"], 2);
    assert_eq!(batch["requires_layout_update"], true);
    // A client goes on from the batch.
    let cursor = batch["cursor"].as_str().unwrap();
    let path = format!("/ws/visualization?batch=true&cursor={cursor}");
    let mut again = DoorClient::open(address, &path).await.unwrap();
    let resumed = again.next().await.unwrap();
    assert_eq!(
        (&resumed["type"], &resumed["replayed"]),
        (&json!("resumed"), &json!(0))
    );
}

#[tokio::test]
async fn what_waits_is_sent_before_the_end() {
    let server = server_with(patient).await;
    let address = server.address();
    let mut client = batching(address).await;
    post(address, &node(1)).await;
    waiting(address, "stoa_visualization_queue", 1).await;
    let down = tokio::spawn(server.shutdown());
    assert_eq!(targets(&client.next().await.unwrap()), ["n1"]);
    client.until("system_notification").await;
    assert!(client.next().await.is_none());
    down.await.unwrap();
}
