//! A snapshot that is too large for one message.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::{
    common::{Client, get, post, server_with},
    decide,
};

/// Bytes of a message that clients and proxies take without being told to.
const MESSAGE: usize = 600 * 1_024;

/// So many tasks of about a kilobyte each.
async fn fill(address: std::net::SocketAddr, tasks: usize) {
    fill_with(address, tasks, 900).await;
}

/// The same with texts of this length.
async fn fill_with(address: std::net::SocketAddr, tasks: usize, text: usize) {
    let text = "x".repeat(text);
    for first in (0..tasks).step_by(100) {
        let events: Vec<Value> = (first..first + 100)
            .map(|n| {
                json!({ "type": "task.created", "project_id": format!("p{}", n % 2),
                        "data": { "task_id": format!("t{n}"), "text": text, "n": n } })
            })
            .collect();
        let (status, answer) = post(address, &json!(events)).await;
        assert_eq!(status, 202, "{answer}");
    }
}

/// All parts of a snapshot as one.
async fn joined(client: &mut Client) -> Value {
    let mut whole = Map::new();
    let (mut next, mut parts) = (1, u64::MAX);
    while next <= parts {
        let part = client.event("snapshot").await;
        assert!(part.to_string().len() < MESSAGE, "a part is too long");
        assert_eq!(part["part"], next, "in order");
        parts = part["parts"].as_u64().expect("their number");
        assert!(parts > 1);
        assert_eq!(part["cursor"].is_string(), next == parts, "on the last one");
        for (key, value) in part.as_object().expect("an object") {
            let known = whole.entry(key.clone()).or_insert_with(|| value.clone());
            match (known, value) {
                (Value::Object(known), Value::Object(more)) => known.extend(more.clone()),
                (known, more) => *known = more.clone(),
            }
        }
        next += 1;
    }
    Value::Object(whole)
}

fn same(state: &Value, other: &Value) {
    for key in ["projects", "agents", "tasks", "runs", "health"] {
        assert!(state[key] == other[key], "{key} differs");
    }
    assert_eq!(state["counts"]["tasks"], other["counts"]["tasks"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_large_snapshot_comes_in_parts_and_what_follows_follows() {
    let server = server_with(|c| c.journal.max_events = 5_000).await;
    let address = server.address();
    let old = decide(address, 0..1).await;
    fill(address, 3_000).await;
    let (_, state) = get(address, "/api/v1/state").await;
    assert_eq!(state["counts"]["tasks"], 3_000);

    let (mut late, _) = Client::connect(address, json!({ "snapshot": true })).await;
    // While it is given the parts the stream goes on.
    let publishing = tokio::spawn(async move {
        for n in 0..50 {
            let moved = json!({ "type": "task.progress", "project_id": "p0", "data": { "task_id": "t0", "progress": n } });
            post(address, &moved).await;
        }
        decide(address, 1..2).await
    });
    let mut known = joined(&mut late).await;
    let last = publishing.await.expect("published");
    let mut decisions = 0;
    // The updates of different things may overtake each other.
    while decisions == 0 || known["tasks"]["t0"]["progress"] != 49 {
        let (name, update) = late.next().await.expect("the connection holds");
        match name.as_str() {
            "progress_update" => {
                let task = update["task_id"].as_str().expect("a task");
                known["tasks"][task]["progress"] = update["progress"].clone();
            }
            "decision_event" => {
                assert_eq!(update["data"]["n"], 1, "nothing of before the snapshot");
                decisions += 1;
            }
            "system_notification" => panic!("it was neither parked nor behind: {update}"),
            _ => {}
        }
    }
    let (_, state) = get(address, "/api/v1/state").await;
    assert_eq!(state["cursor"], last.as_str());
    assert_eq!(
        known["tasks"]["t0"]["progress"],
        state["tasks"]["t0"]["progress"]
    );
    assert_eq!(state["tasks"]["t0"]["progress"], 49);

    // The same for one whose cursor the journal no longer reaches.
    fill(address, 3_000).await;
    let (mut away, _) = Client::connect(address, json!({ "cursor": old })).await;
    assert_eq!(away.event("resumed").await["complete"], false);
    let (_, state) = get(address, "/api/v1/state").await;
    same(&joined(&mut away).await, &state);
    let (_, one) = get(address, "/api/v1/state?project_id=p1").await;

    // An answer is no longer than a part: of a larger state it says that parts follow.
    let answer = away.call("get_state", json!({ "project_id": "p1" })).await;
    assert_eq!(answer["status"], "ok", "{answer}");
    assert!(
        answer["parts"].as_u64() > Some(1) && answer["tasks"].is_null(),
        "{answer}"
    );
    assert_eq!(answer["counts"]["tasks"], 1_500);
    same(&joined(&mut away).await, &one);
    // And it is live again.
    decide(address, 2..3).await;
    assert_eq!(away.event("decision_event").await["data"]["n"], 2);
    server.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn clients_that_do_not_read_their_snapshots_cost_no_copies() {
    let server = server_with(|c| {
        c.server.ping_interval = 600.0;
        c.server.stall_timeout = 600.0;
    })
    .await;
    let address = server.address();
    fill(address, 2_000).await;
    // Nobody reads, and all of them get it when they do, as it was when they came or later.
    let mut clients = Vec::new();
    for _ in 0..20 {
        clients.push(
            Client::connect(address, json!({ "snapshot": true }))
                .await
                .0,
        );
    }
    // Meanwhile the stream goes on for the others.
    let (mut good, _) = Client::connect(address, json!({})).await;
    decide(address, 0..1).await;
    assert_eq!(good.event("decision_event").await["data"]["n"], 0);
    let mut counts = BTreeMap::new();
    for client in &mut clients {
        let state = joined(client).await;
        *counts
            .entry(state["tasks"].as_object().expect("tasks").len())
            .or_insert(0) += 1;
        let heard = client.event("decision_event").await;
        assert_eq!(heard["data"]["n"], 0);
    }
    assert_eq!(counts, BTreeMap::from([(2_000, 20)]));
    server.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_that_takes_its_snapshot_slowly_gets_all_of_it() {
    let server = server_with(|c| {
        c.server.ping_interval = 600.0;
        c.server.stall_timeout = 600.0;
        // Small parts, of which the network holds only some.
        c.server.max_client_buffer = 128 * 1_024;
    })
    .await;
    let address = server.address();
    fill_with(address, 1_600, 7_500).await;
    let (mut slow, _) = Client::connect(address, json!({ "snapshot": true })).await;
    // Longer than a snapshot serves those who come: from then on it is this client's alone.
    tokio::time::sleep(std::time::Duration::from_millis(1_500)).await;
    let state = joined(&mut slow).await;
    assert_eq!(state["tasks"].as_object().expect("tasks").len(), 1_600);
    decide(address, 0..1).await;
    assert_eq!(slow.event("decision_event").await["data"]["n"], 0);
    server.shutdown().await;
}
