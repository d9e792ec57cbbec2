//! A node that is drained: its clients go on with another one, and miss nothing.

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
};

use kit::{Client, START_SECRET, get, guarded::request, post, redis::Redis, source::Source, until};
use serde_json::{Value, json};

use super::node;

/// Publishes one task after the other until it is told to stop; how many these were.
async fn publish(address: SocketAddr, stops: Arc<AtomicBool>, count: Arc<AtomicUsize>) -> usize {
    while !stops.load(Ordering::SeqCst) {
        let n = count.load(Ordering::SeqCst);
        let event = json!({
            "id": format!("e{n}"), "type": "task.created", "project_id": "p",
            "data": { "task_id": format!("t{n}"), "name": "x" },
        });
        let (status, answer) = post(address, &event).await;
        assert_eq!((status, &answer["accepted"]), (202, &json!(1)), "{answer}");
        count.fetch_add(1, Ordering::SeqCst);
    }
    count.load(Ordering::SeqCst)
}

/// Reads tasks until the last one, or until the connection ends.
async fn read(client: &mut Client, seen: &mut Vec<Value>, cursor: &mut Value) {
    while seen.last() != Some(&json!("last"))
        && let Some((name, update)) = client.next().await
    {
        if name == "task_update" {
            seen.push(update["id"].clone());
            *cursor = update["cursor"].clone();
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn clients_of_a_drained_node_get_each_event_once_and_in_order() {
    let Some(engine) = Redis::start().await else {
        return;
    };
    let (one, two) = (node(&engine, "one").await, node(&engine, "two").await);
    let (here, there) = (one.address(), two.address());
    let (stops, count) = <(Arc<AtomicBool>, Arc<AtomicUsize>)>::default();
    let mut clients = Vec::new();
    for _ in 0..20 {
        let (mut client, hello) = Client::connect(here, json!({})).await;
        clients.push(tokio::spawn(async move {
            let (mut seen, mut cursor) = (Vec::new(), hello["cursor"].clone());
            read(&mut client, &mut seen, &mut cursor).await;
            let (mut client, _) = Client::connect(there, json!({ "cursor": cursor })).await;
            read(&mut client, &mut seen, &mut cursor).await;
            seen
        }));
    }
    let mut stream = Source::open(here, "types=task_*", None).await;
    let hello = stream.event("connection_established").await;
    let streamed = tokio::spawn(async move {
        let (mut seen, mut last) = (Vec::new(), hello.id);
        while let Some(update) = stream.next().await {
            seen.push(update.data["id"].clone());
            last = update.id;
        }
        let mut stream = Source::open(there, "types=task_*", last.as_deref()).await;
        while seen.last() != Some(&json!("last")) {
            seen.push(stream.event("task_update").await.data["id"].clone());
        }
        seen
    });
    let publishing = tokio::spawn(publish(here, stops.clone(), count.clone()));
    let published = async |least: usize| {
        until("more events", async || {
            (count.load(Ordering::SeqCst) > least).then_some(())
        })
        .await;
    };
    published(20).await;
    let path = "/api/v1/admin/drain";
    let wish = json!({ "seconds": 1 });
    let (status, begun) = request("POST", here, path, START_SECRET, Some(&wish)).await;
    assert_eq!((status, &begun["alone"]), (200, &json!(false)), "{begun}");
    assert_eq!(begun["clients"], 21, "{begun}");
    until("no client to be left", async || {
        let (_, status) = request("GET", here, path, START_SECRET, None).await;
        (status["state"] == "drained").then_some(())
    })
    .await;
    assert_eq!(get(here, "/readyz").await.0, 503);
    assert_eq!(get(there, "/readyz").await.0, 200);
    published(count.load(Ordering::SeqCst) + 20).await;
    stops.store(true, Ordering::SeqCst);
    let all = publishing.await.expect("no panic");
    // The drained node may go: what it took is kept.
    one.shutdown().await;
    let last = json!({ "id": "last", "type": "task.created", "data": { "task_id": "last" } });
    post(there, &last).await;
    let mut expected: Vec<Value> = (0..all).map(|n| json!(format!("e{n}"))).collect();
    expected.push(json!("last"));
    for client in clients {
        assert_eq!(client.await.expect("no panic"), expected);
    }
    assert_eq!(streamed.await.expect("no panic"), expected);
    two.shutdown().await;
}

/// The stock client keeps no cursor: it shows the secret of its session, and the last place that it was told.
#[tokio::test(flavor = "multi_thread")]
async fn another_node_gives_a_client_its_session_back() {
    let Some(engine) = Redis::start().await else {
        return;
    };
    let (one, two) = (node(&engine, "one").await, node(&engine, "two").await);
    let (here, there) = (one.address(), two.address());
    let wants = |more: Value| {
        let mut auth = json!({ "recovery": true });
        for (key, value) in more.as_object().into_iter().flatten() {
            auth[key] = value.clone();
        }
        auth
    };
    let mut client = Client::open(here, "/", wants(json!({})))
        .await
        .expect("comes in");
    assert_eq!(
        client.call("join_room", json!("project:p")).await["status"],
        "ok"
    );
    let task = |n: usize| json!({ "id": format!("e{n}"), "type": "task.created", "project_id": "p", "data": { "task_id": format!("t{n}") } });
    post(here, &task(0)).await;
    let update = client.event("task_update").await;
    let path = "/api/v1/admin/drain";
    for (from, to, n) in [(here, there, 1), (there, here, 2)] {
        let (pid, sid) = (client.pid.clone().expect("a secret"), client.sid.clone());
        let (status, _) = request(
            "POST",
            from,
            path,
            START_SECRET,
            Some(&json!({ "seconds": 0 })),
        )
        .await;
        assert_eq!(status, 200);
        while client.next().await.is_some() {}
        post(to, &task(n)).await;
        let offset = update["cursor"].clone();
        let auth = wants(json!({ "pid": pid, "offset": offset }));
        client = Client::open(to, "/", auth).await.expect("comes in");
        let hello = client.event("connection_established").await;
        assert_eq!(hello["recovery"], json!({ "recovered": true }), "{hello}");
        assert_eq!(client.sid, sid);
        let rooms = hello["rooms"].as_array().expect("rooms");
        assert!(rooms.contains(&json!("project:p")), "{hello}");
        for missed in 1..=n {
            assert_eq!(
                client.event("task_update").await["id"],
                format!("e{missed}")
            );
        }
        assert_eq!(client.event("resumed").await["complete"], true);
        // It may come back to where it was.
        let (_, answer) = request("DELETE", from, path, START_SECRET, None).await;
        assert_eq!(answer["ended"], true);
    }
    one.shutdown().await;
    two.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn clients_of_a_room_connect_again_on_all_nodes() {
    let Some(engine) = Redis::start().await else {
        return;
    };
    let (one, two) = (node(&engine, "one").await, node(&engine, "two").await);
    let (here, there) = (one.address(), two.address());
    let team = json!({ "rooms": ["team"] });
    let (mut first, _) = Client::connect(here, team.clone()).await;
    let (mut second, _) = Client::connect(there, team.clone()).await;
    let (mut other, _) = Client::connect(there, json!({})).await;
    let path = "/api/v1/operations";
    let wish = json!({ "operations": [{ "reconnect": { "room": "team" } }] });
    let (_, answer) = request("POST", here, path, START_SECRET, Some(&wish)).await;
    let expected = json!([{ "status": "ok", "clients": 2 }]);
    assert_eq!(answer["results"], expected, "{answer}");
    for client in [&mut first, &mut second] {
        while client.next().await.is_some() {}
    }
    let reconnect = "/api/v1/admin/reconnect";
    let wish = json!({ "client_id": other.sid });
    let (status, answer) = request("POST", here, reconnect, START_SECRET, Some(&wish)).await;
    assert_eq!((status, answer), (200, json!({ "clients": 1 })));
    while other.next().await.is_some() {}
    one.shutdown().await;
    two.shutdown().await;
}
