//! The lean shape of updates, by every door that has it: each fact once, for those who ask.

use std::net::SocketAddr;

use kit::{Client, door::DoorClient, get, post, refused, server, server_with, source::Source};
use serde_json::{Value, json};

fn decision(n: u64) -> Value {
    json!({ "type": "decision.made", "id": format!("d{n}"), "project_id": "p1",
        "data": { "decision": "Use PostgreSQL", "rationale": "The team knows it", "confidence_score": 0.9, "agent_id": "a1", "n": n } })
}

async fn decide(address: SocketAddr, range: std::ops::Range<u64>) {
    let events: Vec<Value> = range.map(decision).collect();
    let (status, answer) = post(address, &json!(events)).await;
    assert_eq!(status, 202, "{answer}");
}

/// Whether an update is lean: it has the decision once, in `data`.
fn is_lean(update: &Value) -> bool {
    let times = update.to_string().matches("Use PostgreSQL").count();
    assert_eq!(update["data"]["decision"], "Use PostgreSQL", "{update}");
    assert_eq!(times == 1, update["decision"].is_null(), "{update}");
    times == 1
}

/// The decisions of this range, and the last cursor; all of them in one shape.
async fn decisions(client: &mut Client, range: std::ops::Range<u64>, lean: bool) -> Value {
    let mut cursor = Value::Null;
    for n in range {
        let mut update = client.event("decision_event").await;
        assert_eq!(update["data"]["n"], n);
        assert_eq!(is_lean(&update), lean, "{update}");
        cursor = update["cursor"].take();
    }
    cursor
}

/// The next packet that holds an event of this name, as it came.
async fn packet(client: &mut Client, name: &str) -> String {
    loop {
        let text = client.text().await.expect("a packet");
        if text.starts_with(&format!("42[\"{name}\"")) {
            return text;
        }
    }
}

#[allow(clippy::cast_precision_loss)]
fn part(lean: usize, full: usize) -> f64 {
    lean as f64 / full as f64
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lean_decision_has_less_than_half_of_the_bytes_and_all_of_the_facts() {
    let server = server().await;
    let address = server.address();
    let (mut full, hello) = Client::connect(address, json!({})).await;
    assert_eq!(hello["shape"], "full");
    let (mut lean, hello) = Client::connect(address, json!({ "shape": "lean" })).await;
    assert_eq!(hello["shape"], "lean");
    let event = json!({ "type": "decision.made", "project_id": "p1",
        "data": { "decision": "Use JWT", "rationale": "It is known", "confidence": 0.8 } });
    post(address, &event).await;
    let full = packet(&mut full, "decision_event").await;
    let lean = packet(&mut lean, "decision_event").await;
    assert!(part(lean.len(), full.len()) <= 0.45, "{lean}\n{full}");
    let of = |packet: &str| serde_json::from_str::<Value>(&packet[2..]).expect("JSON")[1].clone();
    let (full, lean) = (of(&full), of(&lean));
    for key in [
        "type",
        "timestamp",
        "id",
        "cursor",
        "priority",
        "animation",
        "hint",
        "project_id",
    ] {
        assert_eq!(lean[key], full[key], "{key}");
        assert!(!lean[key].is_null(), "{key}");
    }
    assert_eq!(lean["data"], event["data"]);
    server.shutdown().await;
}

/// All updates up to the last one: name, id, cursor; and the bytes of all.
async fn all_of(mut client: Client) -> (Vec<[Value; 3]>, usize) {
    let (mut all, mut bytes) = (Vec::new(), 0);
    loop {
        let text = client.text().await.expect("a packet");
        let Some(body) = text.strip_prefix("42") else {
            continue;
        };
        let mut event: Value = serde_json::from_str(body).expect("JSON");
        let (name, update) = (event[0].take(), &mut event[1]);
        if name == "generic_update" && update["id"] == "last" {
            return (all, bytes);
        }
        // Summaries and notices have no event behind them.
        if update["id"].is_string() && update["hint"]["target"]["id"] != name {
            bytes += text.len();
            all.push([name, update["id"].take(), update["cursor"].take()]);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn streams_come_in_both_shapes_update_by_update() {
    for (file, most) in [("marcus-events", 0.87), ("marcus-conversations", 0.90)] {
        // Nobody is parked: what is caught up is coalesced further.
        let server = server_with(|config| {
            config.server.max_client_buffer.set(64 << 20).unwrap();
            config.server.max_client_delay.set(600.0).unwrap();
        })
        .await;
        let address = server.address();
        let (full, _) = Client::connect(address, json!({})).await;
        let (lean, _) = Client::connect(address, json!({ "shape": "lean" })).await;
        let (full, lean) = (tokio::spawn(all_of(full)), tokio::spawn(all_of(lean)));
        let text = std::fs::read_to_string(format!("tests/data/{file}.jsonl")).expect(file);
        let lines: Vec<Value> = text
            .lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect();
        for lines in lines.chunks(200) {
            post(address, &json!(lines)).await;
        }
        post(
            address,
            &json!({ "type": "custom.last", "id": "last", "priority": "low" }),
        )
        .await;
        let ((full, full_bytes), (lean, lean_bytes)) = (full.await.unwrap(), lean.await.unwrap());
        assert!(full.len() > 500, "{}", full.len());
        assert_eq!(full, lean);
        let part = part(lean_bytes, full_bytes);
        assert!(
            part <= most,
            "{file}: {lean_bytes} of {full_bytes}, {part:.3}"
        );
        server.shutdown().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_may_come_back_in_another_shape() {
    let server = server().await;
    let address = server.address();
    let (mut watcher, _) = Client::connect(address, json!({})).await;
    let (mut client, _) = Client::connect(address, json!({ "shape": "lean" })).await;
    decide(address, 0..5).await;
    let cursor = decisions(&mut client, 0..5, true).await;
    decisions(&mut watcher, 0..5, false).await;
    client.close().await;
    // More than the loop replays by itself: they come by a segment.
    decide(address, 5..605).await;
    decisions(&mut watcher, 5..605, false).await;
    // Both stand at one place and share the segment.
    let (mut full, _) = Client::connect(address, json!({ "cursor": cursor })).await;
    let (mut lean, _) =
        Client::connect(address, json!({ "cursor": cursor, "shape": "lean" })).await;
    let (full_end, lean_end) = tokio::join!(
        decisions(&mut full, 5..605, false),
        decisions(&mut lean, 5..605, true)
    );
    assert_eq!(full_end, lean_end);
    for client in [&mut full, &mut lean] {
        assert_eq!(client.event("resumed").await["replayed"], 600);
    }
    // By `resume` and live, the shape is that of the connection.
    let answer = lean.call("resume", json!({ "cursor": cursor })).await;
    assert_eq!(
        (&answer["status"], &answer["replayed"]),
        (&json!("ok"), &json!(600))
    );
    decisions(&mut lean, 5..605, true).await;
    lean.call("get_state", json!({})).await;
    decide(address, 605..606).await;
    decisions(&mut lean, 605..606, true).await;
    decisions(&mut full, 605..606, false).await;
    server.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn batches_pages_and_coalesced_updates_are_lean_too() {
    let server = server().await;
    let address = server.address();
    let (mut batched, _) =
        Client::connect(address, json!({ "shape": "lean", "batch": true })).await;
    let (mut full, _) = Client::connect(address, json!({ "batch": true })).await;
    decide(address, 0..1).await;
    for (client, lean) in [(&mut batched, true), (&mut full, false)] {
        let batch = client.event("batch").await;
        assert_eq!(is_lean(&batch["updates"][0]["payload"]), lean, "{batch}");
        assert_eq!(batch["cursor"], batch["updates"][0]["payload"]["cursor"]);
    }
    // A page that asks for the lean shape gets it with texts that are harmless.
    let (mut page, _) = Client::connect(address, json!({ "shape": "lean" })).await;
    page.call("subscribe_metrics", json!({})).await;
    let (mut plain, _) = Client::connect(address, json!({ "shape": "lean" })).await;
    let event = json!({ "type": "decision.made", "data": { "decision": "<img src=x>" } });
    post(address, &event).await;
    let update = page.event("decision_event").await;
    assert_eq!(
        update["data"]["decision"], "<\u{2060}img src\u{2060}=x>",
        "{update}"
    );
    assert!(update["decision"].is_null());
    let update = plain.event("decision_event").await;
    assert_eq!(update["data"]["decision"], "<img src=x>");
    // Of several events of one key, the facts of all, once.
    let progress = |n: u64| json!({ "type": "task.progress", "data": { "task_id": "t", "progress": n, (format!("f{n}")): n } });
    post(address, &json!((0..10).map(progress).collect::<Vec<_>>())).await;
    let update = plain
        .event_where("progress_update", |u| !u["coalesced"].is_null())
        .await;
    assert_eq!(update["coalesced"], 9);
    for n in 1..10 {
        assert_eq!(update["data"][format!("f{n}")], n, "{update}");
    }
    assert!(
        update["progress"].is_null() && update["taskId"].is_null(),
        "{update}"
    );
    server.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_stream_and_the_doors_with_updates_as_they_are_have_it() {
    let server = server().await;
    let address = server.address();
    let mut source = Source::open(address, "shape=lean", None).await;
    let hello = source.event("connection_established").await;
    assert_eq!(hello.data["shape"], "lean");
    let mut guide = DoorClient::open(address, "/api/v1/ws?rooms=project:p1&shape=lean")
        .await
        .unwrap();
    assert_eq!(guide.until("connection").await["shape"], "lean");
    let mut pipeline = DoorClient::open(address, "/ws/show/?shape=lean")
        .await
        .unwrap();
    assert_eq!(
        pipeline.until("connection_established").await["shape"],
        "lean"
    );
    let mut whole = DoorClient::open(address, "/ws/show/").await.unwrap();
    whole.until("connection_established").await;
    decide(address, 0..1).await;
    let first = source.event("decision_event").await;
    assert!(is_lean(&first.data));
    assert_eq!(first.id.as_deref(), first.data["cursor"].as_str());
    assert!(is_lean(&guide.until("decision_event").await));
    let update = pipeline.until("decision_event").await;
    assert!(is_lean(&update) && update["timestamp"].is_f64(), "{update}");
    assert!(!is_lean(&whole.until("decision_event").await));
    // The missed updates come in the shape that is asked for now.
    drop(source);
    decide(address, 1..2).await;
    whole.until("decision_event").await;
    let mut source = Source::open(address, "", first.id.as_deref()).await;
    assert!(!is_lean(&source.event("decision_event").await.data));
    let mut source = Source::open(address, "shape=lean", first.id.as_deref()).await;
    assert!(is_lean(&source.event("decision_event").await.data));
    server.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_shape_that_there_is_not_is_refused_with_those_that_there_are() {
    let server = server().await;
    let address = server.address();
    for wrong in [json!("fat"), json!(""), json!("Lean"), json!(7)] {
        let refusal = Client::open(address, "/", json!({ "shape": wrong })).await;
        let message = refusal.expect_err("it is refused");
        assert!(
            message.starts_with("bad_request: auth.shape must be "),
            "{message}"
        );
    }
    assert_eq!(refused(address, "connect", "bad_request").await, 4);
    assert!(
        Client::open(address, "/", json!({ "shape": null }))
            .await
            .is_ok()
    );
    let (status, answer) = get(address, "/api/v1/stream?shape=fat").await;
    assert_eq!(
        (status, &answer["error"]),
        (
            400,
            &json!({ "code": "bad_request", "message": "shape must be full or lean" })
        )
    );
    for (path, door) in [
        ("/api/v1/ws?shape=fat", "guide"),
        ("/ws/show/?shape=fat", "pipeline"),
        // These have shapes of their own, with each fact once already.
        ("/api/stream/projects/p1?shape=lean", "streams"),
        ("/ws/visualization?shape=lean", "visualization"),
    ] {
        assert_eq!(
            DoorClient::open(address, path).await.err(),
            Some(400),
            "{path}"
        );
        assert_eq!(refused(address, door, "bad_request").await, 1, "{path}");
    }
    server.shutdown().await;
}
