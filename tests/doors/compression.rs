//! Compression of messages at these doors: the same bytes for all who offer it, and what they send inflated within bounds.

use kit::{
    counted_in, get, post,
    raw::{
        CONTINUATION, DEFLATE, End, FINAL, PING, RSV1, Raw, TEXT, compressed, deflated, frame,
        text, until_connections,
    },
    server, server_with,
};
use serde_json::{Value, json};

const GUIDE: &str = "/api/v1/ws";
const PROJECT: &str = "/api/stream/projects/p";

/// Opens a door with compression.
async fn open(address: std::net::SocketAddr, path: &str) -> Raw {
    let (raw, head) = Raw::upgrade_at(address, path, DEFLATE).await;
    assert!(
        head.contains("permessage-deflate; server_no_context_takeover; client_no_context_takeover"),
        "{head}"
    );
    raw
}

/// The next text with this in it, as JSON.
async fn next(raw: &mut Raw, part: &str) -> Value {
    loop {
        let text = raw.text().await.expect("it stays open");
        if text.contains(part) {
            return serde_json::from_str(&text).expect("JSON");
        }
    }
}

fn node(n: u64, message: &str) -> Value {
    json!({ "type": "workflow.node.completed", "id": format!("n{n}"), "project_id": "p", "data": {
        "execution_id": "e", "node_id": format!("node-{n}"), "node_execution_id": format!("x{n}"), "status": "completed", "message": message,
        "nodeState": { "id": format!("x{n}"), "nodeId": format!("node-{n}"), "runId": "e", "status": "completed", "message": message },
    } })
}

#[tokio::test(flavor = "multi_thread")]
async fn an_update_is_compressed_once_for_all_of_a_door() {
    const OBSERVERS: usize = 8;
    let server = server().await;
    let address = server.address();
    let words = "the same words again and again, ".repeat(100);
    let mut all = Vec::new();
    for _ in 0..OBSERVERS {
        let mut raw = open(address, GUIDE).await;
        next(&mut raw, "\"connection\"").await;
        raw.send(&compressed(
            br#"{"type":"subscribe","room_id":"execution:e"}"#,
        ))
        .await
        .unwrap();
        next(&mut raw, "\"subscribed\"").await;
        all.push(raw);
    }
    let (mut plain, head) = Raw::upgrade_at(address, GUIDE, "").await;
    assert!(!head.to_lowercase().contains("extensions"), "{head}");
    plain
        .send(&text(r#"{"type":"subscribe","room_id":"execution:e"}"#))
        .await
        .unwrap();
    next(&mut plain, "\"subscribed\"").await;
    for (n, message) in [(1, &*words), (2, "few"), (3, &*words)] {
        post(address, &node(n, message)).await;
        let id = format!("\"node-{n}\"");
        let expected = next(&mut plain, &id).await;
        assert!(expected.to_string().contains(message), "{expected}");
        for raw in &mut all {
            assert_eq!(next(raw, &id).await, expected);
        }
    }
    assert!(all.iter().all(|raw| raw.compressed == 2));
    assert_eq!(plain.compressed, 0);
    assert_eq!(counted_in(&server, "stoa_messages_compressed_total"), 2);
    assert_eq!(
        counted_in(&server, "stoa_deliveries_compressed_total"),
        2 * OBSERVERS as u64
    );
    assert_eq!(
        counted_in(&server, "stoa_messages_inflated_total"),
        OBSERVERS as u64
    );
    server.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_of_a_project_is_compressed() {
    let server = server().await;
    let address = server.address();
    let mut raw = open(address, PROJECT).await;
    until_connections(address, 1).await;
    let words = "the same words again and again, ".repeat(100);
    post(address, &node(1, &words)).await;
    let event = next(&mut raw, "the same words").await;
    assert!(event.to_string().contains(&words), "{event}");
    assert!(raw.compressed >= 1);
    server.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn messages_of_a_client_are_inflated_whole_and_in_fragments() {
    let server = server().await;
    let mut raw = open(server.address(), GUIDE).await;
    let ping = deflated(br#"{"type":"ping","again":"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"}"#);
    let (first, rest) = ping.split_at(5);
    let pieces = [
        frame(FINAL | RSV1 | TEXT, &ping),
        frame(RSV1 | TEXT, first),
        frame(FINAL | PING, b"x"),
        frame(CONTINUATION, b""),
        frame(FINAL | CONTINUATION, rest),
        text(r#"{"type":"ping"}"#),
    ];
    raw.send(&pieces.concat()).await.unwrap();
    for _ in 0..3 {
        next(&mut raw, "\"pong\"").await;
    }
    assert_eq!(counted_in(&server, "stoa_messages_inflated_total"), 2);
    server.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn bombs_and_broken_messages_close_their_connection_alone() {
    const LIMIT: usize = 100_000;
    let server = server_with(|c| c.server.max_http_buffer_size.set(LIMIT as u64).unwrap()).await;
    let address = server.address();
    let mut good = open(address, GUIDE).await;
    let ping = deflated(br#"{"type":"ping"}"#);
    let longest = compressed(
        format!("{{\"type\":\"ping\",\"x\":\"{}\"}}", "x".repeat(LIMIT - 30)).as_bytes(),
    );
    for (bytes, code, reason) in [
        (compressed(&vec![b'4'; 1 << 26]), 1009, "too_large"),
        (compressed(&vec![b'4'; LIMIT + 1]), 1009, "too_large"),
        (
            kit::raw::header(FINAL | RSV1 | TEXT, LIMIT as u64 + 1),
            1009,
            "too_large",
        ),
        (longest.repeat(3), 1009, "unpack_ratio"),
        (
            frame(FINAL | RSV1 | TEXT, b"\xff\xff"),
            1007,
            "malformed_compression",
        ),
        (
            frame(FINAL | RSV1 | TEXT, &ping[..5]),
            1007,
            "malformed_compression",
        ),
        (compressed(b"\"\xff\""), 1007, "not_utf8"),
        (
            [frame(RSV1 | TEXT, &ping[..5]), text("{}")].concat(),
            1002,
            "protocol",
        ),
        (frame(FINAL | RSV1 | PING, b""), 1002, "protocol"),
        (frame(FINAL | 0x20 | TEXT, &ping), 1002, "protocol"),
        (
            [
                frame(RSV1 | TEXT, &ping[..5]),
                frame(FINAL | RSV1 | CONTINUATION, &ping[5..]),
            ]
            .concat(),
            1002,
            "protocol",
        ),
    ] {
        let line = format!("stoa_connections_killed_total{{reason=\"{reason}\"}}");
        let before = counted_in(&server, &line);
        let mut raw = open(address, GUIDE).await;
        raw.push(&bytes).await;
        assert_eq!(raw.end().await, End::Closed(Some(code)), "{reason}");
        assert_eq!(counted_in(&server, &line), before + 1, "{reason}");
    }
    // It was not agreed on here.
    let (mut raw, _) = Raw::upgrade_at(address, GUIDE, "").await;
    raw.send(&frame(FINAL | RSV1 | TEXT, &ping)).await.unwrap();
    assert_eq!(raw.end().await, End::Closed(Some(1002)));
    good.send(&frame(FINAL | RSV1 | TEXT, &ping)).await.unwrap();
    next(&mut good, "\"pong\"").await;
    assert_eq!(get(address, "/healthz").await.0, 200);
    server.shutdown().await;
}
