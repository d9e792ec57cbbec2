//! The faults of the engine, shown to be mended: over the wire, with a real server.

mod alive;
mod packets;
mod sessions;
mod upgrades;

use std::time::{Duration, Instant};

use kit::{Client, PATIENCE, START_SECRET, get, metrics, post, server, server_with};
use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpSocket,
};

/// Waits until `GET path` satisfies `done`.
async fn until(address: std::net::SocketAddr, path: &str, done: impl Fn(&Value) -> bool) -> Value {
    let started = Instant::now();
    loop {
        let (_, answer) = get(address, path).await;
        if done(&answer) {
            return answer;
        }
        assert!(started.elapsed() < PATIENCE, "still {answer}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// A client that connects over a WebSocket and then never reads again.
async fn stuck(address: std::net::SocketAddr) -> tokio::net::TcpStream {
    let socket = TcpSocket::new_v4().expect("socket");
    // A small window, so that little fits into the kernel's buffers.
    socket.set_recv_buffer_size(4_096).expect("buffer");
    let mut stream = socket.connect(address).await.expect("connects");
    let head = format!(
        "GET /socket.io/?EIO=4&transport=websocket HTTP/1.1\r\nHost: {address}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
         Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
    );
    stream.write_all(head.as_bytes()).await.expect("writes");
    let mut answer = [0; 1_024];
    let n = stream.read(&mut answer).await.expect("reads");
    assert!(answer[..n].starts_with(b"HTTP/1.1 101"));
    // The text frame "40", masked with zeros.
    stream
        .write_all(&[0x81, 0x82, 0, 0, 0, 0, b'4', b'0'])
        .await
        .expect("writes");
    stream
}

async fn flood(address: std::net::SocketAddr, events: usize, filler: usize) {
    for first in (0..events).step_by(50) {
        let batch: Vec<Value> = (first..events.min(first + 50))
            .map(|n| json!({ "type": "decision.logged", "data": { "what": "x".repeat(filler), "n": n } }))
            .collect();
        let (status, answer) = post(address, &json!(batch)).await;
        assert_eq!(status, 202, "{answer}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_stops_reading_is_disconnected_and_leaves_its_rooms() {
    let server = server_with(|c| {
        c.server.stall_timeout.set(1.0).unwrap();
        c.server.max_client_buffer.set(64 * 1024 * 1024).unwrap();
    })
    .await;
    let address = server.address();
    let _stuck = stuck(address).await;
    until(address, "/api/v1/ws/stats", |s| s["total_connections"] == 1).await;
    // More than the kernel's buffers take, less than the byte bound: only the stall can end it.
    flood(address, 600, 15_000).await;
    let stats = until(address, "/api/v1/ws/stats", |s| s["total_connections"] == 0).await;
    assert_eq!(stats["active_rooms"], 0);
    let metrics = metrics(address).await;
    assert!(
        metrics.contains("stoa_connections_killed_total{reason=\"stalled\"} 1"),
        "{metrics}"
    );
    assert!(
        metrics.contains("stoa_connections_ended_total{reason=\"TransportError\"} 1"),
        "its handler ran: {metrics}"
    );
    server.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_asks_on_without_reading_the_answers_is_disconnected() {
    let server = server_with(|c| c.server.max_client_buffer.set(64 * 1024).unwrap()).await;
    let address = server.address();
    let mut stuck = stuck(address).await;
    flood(address, 50, 15_000).await;
    // "42" with an ack and get_history, masked with zeros, again and again.
    let request = br#"421["get_history",{"limit":50}]"#;
    let mut frame = vec![
        0x81,
        0x80 | u8::try_from(request.len()).unwrap(),
        0,
        0,
        0,
        0,
    ];
    frame.extend_from_slice(request);
    let started = Instant::now();
    while stuck.write_all(&frame).await.is_ok() {
        assert!(started.elapsed() < PATIENCE, "it may ask for ever");
        tokio::task::yield_now().await;
    }
    until(address, "/api/v1/ws/stats", |s| s["total_connections"] == 0).await;
    let metrics = metrics(address).await;
    let killed = "stoa_connections_killed_total{reason=\"slow_client\"} 1";
    assert!(metrics.contains(killed), "{metrics}");
    server.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn going_down_does_not_wait_for_a_client_that_does_not_read() {
    let server = server_with(|c| {
        c.server.stall_timeout.set(600.0).unwrap();
        c.server.shutdown_timeout.set(600.0).unwrap();
        c.server.max_client_buffer.set(64 * 1024 * 1024).unwrap();
    })
    .await;
    let address = server.address();
    let _stuck = stuck(address).await;
    let (mut good, _) = Client::connect(address, json!({})).await;
    flood(address, 600, 15_000).await;
    for _ in 0..600 {
        good.event("decision_event").await;
    }
    tokio::time::timeout(PATIENCE, server.shutdown())
        .await
        .expect("it does not wait for as long as a stop may take");
    // It may have been behind for a while, and told so by the same name.
    let last = good
        .event_where("system_notification", |v| {
            v["message"].to_string().contains("going down")
        })
        .await;
    assert_eq!(last["level"], "warning");
    // And then the connection ends.
    while good.text().await.is_some() {}
}

#[tokio::test(flavor = "multi_thread")]
async fn ten_thousand_events_of_one_client_keep_their_order() {
    const EVENTS: u64 = 10_000;
    let server = server().await;
    let address = server.address();
    let (mut watcher, _) = Client::connect(address, json!({})).await;
    let (mut producer, _) = Client::connect(
        address,
        json!({ "role": "producer", "filters": { "types": ["none"] } }),
    )
    .await;
    let watching = tokio::spawn(async move {
        for n in 0..EVENTS {
            let update = watcher.event("decision_event").await;
            assert_eq!(update["data"]["n"], n);
        }
    });
    for n in 0..EVENTS {
        producer
            .emit(
                "publish",
                json!({ "type": "decision.logged", "data": { "n": n } }),
            )
            .await;
    }
    watching.await.expect("all of them, in order");
    server.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_learns_anothers_transport_id() {
    let server = server().await;
    let address = server.address();
    let (mut alice, alice_hello) =
        Client::connect(address, json!({ "name": "alice", "token": START_SECRET })).await;
    let (mut bob, bob_hello) = Client::connect(
        address,
        json!({ "name": "bob", "role": "producer", "snapshot": true }),
    )
    .await;
    assert!(!alice.transport.is_empty() && alice.transport != bob.transport);
    bob.call("join_room", json!({ "room": "agent:a:actions" }))
        .await;
    let mut seen = String::new();
    for (event, argument) in [
        ("join_room", json!({ "room": "project:p" })),
        ("get_rooms", json!(null)),
        ("get_stats", json!(null)),
        ("get_state", json!({})),
        ("get_history", json!({})),
        ("agent_action", json!({ "agent_id": "a", "action": "move" })),
    ] {
        seen += &alice.call(event, argument).await.to_string();
    }
    bob.call("join_room", json!({ "room": "project:p" })).await;
    let request = bob.event("agent_action").await;
    bob.call(
        "publish",
        json!({ "type": "agent.registered", "data": { "agent_id": "a" } }),
    )
    .await;
    seen += &format!("{:?}", alice.so_far().await);
    assert!(!seen.contains(&bob.transport), "{seen}");
    let (_, rooms) = get(address, "/api/v1/ws/rooms").await;
    let bobs = format!("{request}{bob_hello}{:?}{rooms}", bob.so_far().await);
    assert!(!bobs.contains(&alice.transport), "{bobs}");
    // The public id opens nothing.
    for id in [&alice_hello["client_id"], &bob_hello["client_id"]] {
        let url = format!(
            "http://{address}/socket.io/?EIO=4&transport=polling&sid={}",
            id.as_str().unwrap()
        );
        assert_eq!(
            kit::http_client().get(url).send().await.unwrap().status(),
            400
        );
    }
    server.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn binary_attachments_become_base64_where_they_stood() {
    let server = server().await;
    let (mut watcher, _) = Client::connect(server.address(), json!({})).await;
    let (mut producer, _) = Client::connect(server.address(), json!({ "role": "producer" })).await;
    producer
        .send_text(r#"451-7["publish",{"type":"custom.thing","data":{"blob":{"_placeholder":true,"num":0}}}]"#)
        .await;
    producer.send_binary(vec![1, 2, 3, 255]).await;
    let receipt = producer.ack(7).await;
    assert_eq!(receipt["accepted"], 1);
    let update = watcher.event("generic_update").await;
    assert_eq!(update["data"]["blob"], "AQID/w==");
    server.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unknown_namespace_is_refused_and_the_known_ones_are_not() {
    let server = server().await;
    let address = server.address();
    let refused = Client::open(address, "/nowhere", json!({})).await.err();
    assert_eq!(refused.as_deref(), Some("Invalid namespace"));
    let refused = Client::open(address, "/admin", json!({}))
        .await
        .err()
        .unwrap();
    assert!(refused.starts_with("forbidden:"), "{refused}");
    let mut admin = Client::open(address, "/admin", json!({ "token": START_SECRET }))
        .await
        .unwrap();
    admin.event("connection_established").await;
    assert_eq!(
        admin.call("get_stats", json!(null)).await["total_connections"],
        1
    );
    let mut page = Client::open(address, "/conversations", json!({}))
        .await
        .unwrap();
    page.event("connected").await;
    server.shutdown().await;
}
