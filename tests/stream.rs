//! `GET /api/v1/stream`: the same updates as server-sent events.

use std::{
    net::SocketAddr,
    time::{Duration, Instant},
};

use kit::{PATIENCE, get, post, server, server_with, source::Source, until_folded};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

fn decision(n: u64) -> Value {
    json!({ "type": "decision.logged", "data": { "what": "x", "n": n } })
}

#[tokio::test(flavor = "multi_thread")]
async fn updates_come_and_a_reconnect_goes_on_where_it_was() {
    let server = server_with(|c| c.server.shutdown_timeout.set(600.0).unwrap()).await;
    let address = server.address();
    let mut source = Source::open(address, "", None).await;
    let hello = source.event("connection_established").await;
    assert_eq!(hello.data["rooms"], json!(["general", "observers"]));
    assert_eq!(hello.id.as_deref(), hello.data["cursor"].as_str());
    post(address, &decision(0)).await;
    let first = source.event("decision_event").await;
    assert_eq!(
        (&first.data["data"]["n"], first.id.as_deref()),
        (&json!(0), first.data["cursor"].as_str())
    );
    drop(source);
    let mut watcher = Source::open(address, "", None).await;
    for n in 1..6 {
        post(address, &decision(n)).await;
    }
    // Only what was sent to somebody can have been missed; what is still to be sent comes live.
    while watcher.event("decision_event").await.data["data"]["n"] != 5 {}
    drop(watcher);
    let mut source = Source::open(address, "", first.id.as_deref()).await;
    for n in 1..6 {
        assert_eq!(source.event("decision_event").await.data["data"]["n"], n);
    }
    let resumed = source.event("resumed").await;
    assert_eq!(
        (&resumed.data["replayed"], &resumed.data["complete"]),
        (&json!(5), &json!(true))
    );
    // The same by the query, and the state for one that asks.
    let cursor = hello.id.expect("a place");
    let mut source = Source::open(address, &format!("cursor={cursor}"), None).await;
    assert_eq!(source.event("decision_event").await.data["data"]["n"], 0);
    let mut source = Source::open(address, "snapshot=1", None).await;
    assert_eq!(
        source.event("snapshot").await.data["counts"]["decisions"],
        6
    );
    // Going down ends the streams and doesn't wait for them.
    tokio::time::timeout(PATIENCE, server.shutdown())
        .await
        .expect("they are not waited for as long as a stop may take");
    while source.next().await.is_some() {}
}

#[tokio::test(flavor = "multi_thread")]
async fn rooms_and_types_are_all_it_gets() {
    let server = server().await;
    let address = server.address();
    let mut source = Source::open(address, "rooms=project:p&types=task_*", None).await;
    source.event("connection_established").await;
    for (project, kind) in [
        ("q", "task.created"),
        ("p", "agent.registered"),
        ("p", "task.created"),
    ] {
        let event = json!({ "type": kind, "project_id": project, "data": { "task_id": format!("{project}-t"), "agent_id": "a" } });
        post(address, &event).await;
    }
    let only = source.next().await.expect("an update");
    assert_eq!(
        (only.name.as_str(), &only.data["data"]["task_id"]),
        ("task_update", &json!("p-t"))
    );
    for (query, status, code) in [
        ("rooms=lobby!", 400, "unknown_room_type"),
        ("rooms=producers", 403, "forbidden_room"),
        ("types=[", 400, "bad_request"),
        ("min_priority=urgent", 400, "bad_request"),
    ] {
        let (got, answer) = get(address, &format!("/api/v1/stream?{query}")).await;
        assert_eq!(
            (got, &answer["error"]["code"]),
            (status, &json!(code)),
            "{query}: {answer}"
        );
    }
    server.shutdown().await;
}

/// Bytes of a message that clients and proxies take without being told to.
const MESSAGE: usize = 600 * 1_024;
const MAPS: [&str; 4] = ["projects", "agents", "tasks", "runs"];

/// So many events, a hundred at a time; they are in the state when this ends.
async fn publish(address: SocketAddr, count: usize, event: impl Fn(usize) -> Value) {
    let mut last = Value::Null;
    for first in (0..count).step_by(100) {
        let events: Vec<Value> = (first..first + 100).map(&event).collect();
        let (status, answer) = post(address, &json!(events)).await;
        assert_eq!(status, 202, "{answer}");
        last = answer["cursor"].clone();
    }
    until_folded(address, &last).await;
}

/// So many tasks with a text of this length.
async fn fill(address: SocketAddr, tasks: usize, text: usize) {
    let text = "x".repeat(text);
    publish(address, tasks, |n| {
        json!({ "type": "task.created", "project_id": format!("p{}", n % 2),
                "data": { "task_id": format!("t{n}"), "text": text } })
    })
    .await;
}

/// All parts of a snapshot as one, and the place after it.
async fn joined(source: &mut Source) -> (Value, Option<String>) {
    let mut whole = serde_json::Map::new();
    let (mut next, mut parts) = (1, u64::MAX);
    while next <= parts {
        let sent = source.event("snapshot").await;
        let part = sent.data.as_object().expect("an object");
        assert_eq!(part["part"], next, "in order");
        parts = part["parts"].as_u64().expect("their number");
        // A client that leaves in the middle has no place to go on from, and begins again.
        assert_eq!(sent.id.is_some(), next == parts, "{:?}", sent.id);
        assert_eq!(
            sent.id.as_deref(),
            part.get("cursor").and_then(Value::as_str)
        );
        for map in MAPS {
            let known = whole.entry(map).or_insert_with(|| json!({}));
            let known = known.as_object_mut().expect("a map");
            let before = known.len();
            let more = part[map].as_object().expect("a map").clone();
            let added = more.len();
            known.extend(more);
            assert_eq!(known.len(), before + added, "each thing once");
        }
        if next == parts {
            return (Value::Object(whole), sent.id);
        }
        next += 1;
    }
    panic!("there are no parts");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_large_state_comes_in_parts_and_is_whole_or_begins_again() {
    let server = server_with(|c| c.journal.max_events.set(5_000).unwrap()).await;
    let address = server.address();
    let (_, answer) = post(address, &decision(0)).await;
    let old = answer["cursor"].as_str().expect("a place");
    fill(address, 3_000, 900).await;
    let same = async |joined: &Value| {
        let (_, state) = get(address, "/api/v1/state").await;
        for map in MAPS {
            assert!(state[map] == joined[map], "{map} differs");
        }
    };
    let mut source = Source::open(address, "snapshot=1", None).await;
    let hello = source.event("connection_established").await;
    assert!(hello.data["cursor"].is_string());
    assert_eq!(
        hello.id, None,
        "a place from which the state would be missing"
    );
    let (state, place) = joined(&mut source).await;
    same(&state).await;
    post(address, &decision(1)).await;
    assert_eq!(source.event("decision_event").await.data["data"]["n"], 1);
    // From the last part on it goes on as from any place.
    let mut source = Source::open(address, "snapshot=1", place.as_deref()).await;
    assert_eq!(source.event("decision_event").await.data["data"]["n"], 1);
    assert_eq!(source.event("resumed").await.data["complete"], true);

    // The same for one whose place the journal no longer has, and for one whose place is another server's.
    // Decisions change nothing of the state: a client may be given a snapshot that was made for another one before them.
    publish(address, 3_000, |n| decision(n as u64)).await;
    for (last, own) in [(old, true), ("1.1", false)] {
        let mut away = Source::open(address, "", Some(last)).await;
        let hello = away.event("connection_established").await;
        assert_eq!(hello.id.as_deref(), own.then_some(last));
        let resumed = away.event("resumed").await;
        assert_eq!(
            (&resumed.data["complete"], resumed.id),
            (&json!(false), None)
        );
        same(&joined(&mut away).await.0).await;
    }
    // None of its messages is longer than what clients and proxies take.
    let mut source = Source::open(address, "snapshot=1", None).await;
    while let Some(sent) = source.next().await {
        assert!(sent.data.to_string().len() < MESSAGE, "{}", sent.name);
        if sent.data["part"] == sent.data["parts"] && sent.name == "snapshot" {
            break;
        }
    }
    server.shutdown().await;
}

/// Bytes that it takes at a time at the most, and how long after the last: a part takes more than two seconds.
const SIP: usize = 16 * 1_024;
const PAUSE: Duration = Duration::from_millis(10);

#[tokio::test(flavor = "multi_thread")]
async fn one_that_takes_its_snapshot_slowly_is_not_cut() {
    let server = server_with(|c| {
        // Less than one of its parts takes.
        c.server.stall_timeout.set(1.0).unwrap();
        c.server.max_client_buffer.set(8 << 20).unwrap();
        c.performance.snapshot_part_bytes.set(4 << 20).unwrap();
    })
    .await;
    let address = server.address();
    fill(address, 1_000, 6_000).await;
    let socket = tokio::net::TcpSocket::new_v4().expect("a socket");
    socket
        .set_recv_buffer_size(16 * 1_024)
        .expect("little waits here");
    let mut slow = socket.connect(address).await.expect("connects");
    let request = format!("GET /api/v1/stream?snapshot=1 HTTP/1.1\r\nHost: {address}\r\n\r\n");
    slow.write_all(request.as_bytes()).await.expect("writes");
    let (mut taken, mut end) = (0, Vec::new());
    let mut sip = vec![0; SIP];
    // The last part has the cursor, at its begin.
    while !String::from_utf8_lossy(&end).contains("event: snapshot\nid: ") {
        let read = tokio::time::timeout(PATIENCE, slow.read(&mut sip)).await;
        let read = read.expect("in time").expect("it is not cut");
        assert!(read > 0, "it is cut after {taken} bytes");
        taken += read;
        // The text that is looked for may be in two pieces.
        end.drain(..end.len().saturating_sub(64));
        end.extend_from_slice(&sip[..read]);
        tokio::time::sleep(PAUSE).await;
    }
    assert!(taken > 4_000_000, "{taken}");
    let text = server.metrics().text();
    assert!(!text.contains("reason=\"stalled\""), "{text}");
    server.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_that_reads_nothing_is_hung_up_on() {
    let server = server_with(|c| {
        c.server.stall_timeout.set(1.0).unwrap();
        c.server.max_client_buffer.set(64 * 1024).unwrap();
    })
    .await;
    let address = server.address();
    let mut stuck = tokio::net::TcpStream::connect(address)
        .await
        .expect("connects");
    let request = format!("GET /api/v1/stream HTTP/1.1\r\nHost: {address}\r\n\r\n");
    stuck.write_all(request.as_bytes()).await.expect("writes");
    let mut head = [0; 64];
    stuck.read_exact(&mut head).await.expect("an answer begins");
    let filler = "x".repeat(20_000);
    let started = Instant::now();
    while get(address, "/api/v1/ws/stats").await.1["total_connections"] != 0 {
        let events: Vec<Value> = (0..20)
            .map(|_| json!({ "type": "a.b", "data": { "filler": filler } }))
            .collect();
        assert_eq!(post(address, &json!(events)).await.0, 202);
        assert!(started.elapsed() < PATIENCE, "it is never missed");
    }
    server.shutdown().await;
}
