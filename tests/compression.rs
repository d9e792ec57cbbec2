//! Compression of WebSocket messages: agreed on by offer, made once for all, and inflated within bounds.

use std::net::SocketAddr;

use kit::{
    PATIENCE, counted, counted_in,
    crowd::{self, Packet, Progress},
    post,
    process::{Process, free_port},
    raw::{
        BINARY, CONTINUATION, DEFLATE, End, FINAL, PING, RSV1, Raw, TEXT, assert_served,
        compressed, deflated, frame, text,
    },
    server, server_with,
    socket::{Connecting, Socket},
    wire,
};
use serde_json::{Value, json};

/// A decision whose text is so many bytes, the same for a number; its update has the text four times.
fn decision(n: u64, bytes: usize) -> Value {
    let words: String = (n..)
        .flat_map(|n| format!("{n} ").into_bytes())
        .map(char::from)
        .take(bytes)
        .collect();
    json!({ "type": "decision.logged", "id": format!("d{n}"), "data": { "what": words, "n": n } })
}

async fn publish(address: SocketAddr, event: &Value) {
    let (status, answer) = post(address, event).await;
    assert_eq!(status, 202, "{answer}");
}

/// The next decision, as it came over the wire.
async fn next_decision(raw: &mut Raw) -> String {
    raw.wait_for("42[\"decision_event\"").await
}

#[tokio::test(flavor = "multi_thread")]
async fn an_update_is_compressed_once_for_all_who_offer_it() {
    const OBSERVERS: usize = 20;
    let server = server().await;
    let address = server.address();
    let mut plain = Raw::join(address).await;
    let mut observers = Vec::new();
    for _ in 0..OBSERVERS {
        observers.push(Raw::join_compressed(address).await);
    }
    for (n, bytes) in [(1, 5_000), (2, 10), (3, 40_000)] {
        publish(address, &decision(n, bytes)).await;
        let expected = next_decision(&mut plain).await;
        for observer in &mut observers {
            assert_eq!(next_decision(observer).await, expected);
        }
    }
    assert_eq!(
        plain.compressed, 0,
        "who offers nothing gets nothing compressed"
    );
    for observer in &observers {
        assert_eq!(observer.compressed, 2, "the small one comes as it is");
    }
    assert_eq!(counted(address, "stoa_messages_compressed_total").await, 2);
    assert_eq!(
        counted(address, "stoa_deliveries_compressed_total").await,
        2 * OBSERVERS as u64
    );
    assert_eq!(
        counted(address, "stoa_compression_offers_total{outcome=\"agreed\"}").await,
        OBSERVERS as u64
    );
    let before = counted(address, "stoa_compressed_bytes_total{when=\"before\"}").await;
    let after = counted(address, "stoa_compressed_bytes_total{when=\"after\"}").await;
    assert!(before > 45_000 && after < before / 2, "{before} to {after}");
    server.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn without_clients_that_offer_it_nothing_is_compressed() {
    let server = server().await;
    let mut plain = Raw::join(server.address()).await;
    publish(server.address(), &decision(1, 5_000)).await;
    next_decision(&mut plain).await;
    assert_eq!(counted_in(&server, "stoa_messages_compressed_total"), 0);
    server.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_can_not_be_agreed_on_is_not_and_the_client_goes_on() {
    let server = server().await;
    let address = server.address();
    for (offer, agreed) in [
        ("permessage-deflate", true),
        ("permessage-deflate; client_max_window_bits", true),
        ("permessage-deflate; server_max_window_bits=15", true),
        ("permessage-deflate; server_max_window_bits=9", false),
        (
            "permessage-deflate; server_max_window_bits=9, permessage-deflate",
            true,
        ),
        ("permessage-deflate; server_max_window_bits=99", false),
        ("permessage-deflate; client_max_window_bits=\"10", false),
        ("x-webkit-deflate-frame", false),
    ] {
        for version in [3, 4] {
            let headers = format!("Sec-WebSocket-Extensions: {offer}\r\n");
            let query = format!("EIO={version}&transport=websocket");
            let (mut raw, head) = Raw::upgrade(address, &query, &headers).await;
            assert!(head.starts_with("HTTP/1.1 101"), "{head}");
            let answer = head
                .to_lowercase()
                .contains("server_no_context_takeover; client_no_context_takeover");
            assert_eq!(answer, agreed, "{offer}: {head}");
            assert_eq!(
                head.contains("server_max_window_bits=15"),
                offer.ends_with("=15"),
                "{head}"
            );
            assert!(raw.text().await.expect("it is served").starts_with('0'));
        }
    }
    for (outcome, count) in [
        ("agreed", 8),
        ("window", 2),
        ("parameters", 2),
        ("malformed", 2),
    ] {
        let line = format!("stoa_compression_offers_total{{outcome=\"{outcome}\"}}");
        assert_eq!(counted(address, &line).await, count, "{outcome}");
    }
    server.shutdown().await;

    let off = server_with(|c| c.performance.compression = false).await;
    let (_, head) = Raw::open_with(off.address(), DEFLATE).await;
    assert!(!head.to_lowercase().contains("extensions"), "{head}");
    off.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_size_from_which_on_is_the_configured_one() {
    let server = server_with(|c| c.performance.compression_min_bytes.set(60_000).unwrap()).await;
    let address = server.address();
    let mut raw = Raw::join_compressed(address).await;
    publish(address, &decision(1, 10_000)).await;
    next_decision(&mut raw).await;
    assert_eq!(raw.compressed, 0);
    publish(address, &decision(2, 25_000)).await;
    next_decision(&mut raw).await;
    assert_eq!(raw.compressed, 1);
    server.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn messages_of_a_client_are_inflated_whole_and_in_fragments() {
    let server = server().await;
    let mut raw = Raw::join_compressed(server.address()).await;
    let ping = deflated(b"421[\"ping\",\"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\"]");
    raw.send(&frame(FINAL | RSV1 | TEXT, &ping)).await.unwrap();
    raw.wait_for("431[").await;
    // In pieces, with a control frame between them; an uncompressed one; and one with its last block marked.
    let (first, rest) = ping.split_at(7);
    let (second, third) = rest.split_at(1);
    let pieces = [
        frame(RSV1 | TEXT, first),
        frame(FINAL | PING, b"x"),
        frame(CONTINUATION, second),
        frame(CONTINUATION, b""),
        frame(FINAL | CONTINUATION, third),
        text("422[\"ping\"]"),
    ];
    raw.send(&pieces.concat()).await.unwrap();
    raw.wait_for("431[").await;
    raw.wait_for("432[").await;
    // An attachment.
    let publish = [
        compressed(b"451-3[\"publish\",{\"type\":\"decision.logged\",\"data\":{\"_placeholder\":true,\"num\":0}}]"),
        frame(FINAL | RSV1 | BINARY, &deflated(b"binary")),
    ];
    raw.send(&publish.concat()).await.unwrap();
    raw.wait_for("433[").await;
    assert_eq!(counted_in(&server, "stoa_messages_inflated_total"), 4);
    server.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_not_agreed_on_closes_with_1002() {
    let server = server().await;
    let address = server.address();
    let one = deflated(b"42[\"ping\"]");
    let begun = frame(RSV1 | TEXT, &one[..3]);
    let wrong = [
        frame(FINAL | RSV1 | PING, b""),
        frame(FINAL | 0x20 | TEXT, &one),
        frame(FINAL | RSV1 | 0x10 | TEXT, &one),
        frame(FINAL | RSV1 | CONTINUATION, &one),
        [&begun[..], &frame(FINAL | RSV1 | CONTINUATION, &one[3..])].concat(),
    ];
    for bytes in &wrong {
        let mut raw = Raw::join_compressed(address).await;
        raw.send(bytes).await.unwrap();
        assert_eq!(raw.end().await, End::Closed(Some(1002)), "{bytes:x?}");
    }
    // A client that offered nothing may compress nothing.
    let mut raw = Raw::join(address).await;
    raw.send(&frame(FINAL | RSV1 | TEXT, &one)).await.unwrap();
    assert_eq!(raw.end().await, End::Closed(Some(1002)));
    server.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn bombs_and_broken_messages_close_their_connection_alone() {
    const LIMIT: usize = 1_000_000;
    let folder = tempfile::tempdir().unwrap();
    let server = Process::start(&folder.path().join("stoa.db"), free_port(), &[]).await;
    let address = server.address;
    assert_served(address).await;
    let mut good = Raw::join_compressed(address).await;
    let before = server.memory("VmHWM").expect("/proc");
    // A hundred and thirty times what is allowed, and one byte more.
    let many = compressed(&vec![b'4'; 1 << 27]);
    assert!(many.len() < LIMIT / 5);
    for bomb in [many, compressed(&vec![b'4'; LIMIT + 1])] {
        for _ in 0..20 {
            let mut raw = Raw::join_compressed(address).await;
            raw.push(&bomb).await;
            assert_eq!(raw.end().await, End::Closed(Some(1009)));
        }
    }
    // Messages as long as they may be, one after the other: the first is taken, their ratio ends it.
    let longest = compressed(format!("42[\"{}\"]", "x".repeat(LIMIT - 6)).as_bytes());
    let mut raw = Raw::join_compressed(address).await;
    raw.push(&longest.repeat(1_000)).await;
    let told = raw.wait_for("42[\"error\"").await;
    assert!(told.contains("max_unpack_ratio"), "{told}");
    assert_eq!(raw.end().await, End::Closed(Some(1009)));
    for broken in [
        &b"\xff\xff\xff"[..],
        &deflated(b"42[\"ping\"]")[..5],
        b"\x07",
    ] {
        let mut raw = Raw::join_compressed(address).await;
        raw.send(&frame(FINAL | RSV1 | TEXT, broken)).await.unwrap();
        assert_eq!(raw.end().await, End::Closed(Some(1007)), "{broken:x?}");
    }
    // Not UTF-8, once inflated.
    let mut raw = Raw::join_compressed(address).await;
    raw.send(&compressed(b"42[\"\xff\xfe\"]")).await.unwrap();
    assert_eq!(raw.end().await, End::Closed(Some(1007)));
    // CONNECT is counted, compressed or not.
    let mut raw = Raw::join_compressed(address).await;
    raw.push(&[compressed(b"40"), text("40/admin,")].concat().repeat(60))
        .await;
    assert_eq!(raw.end().await, End::Closed(Some(1008)));
    let grown = server.memory("VmHWM").expect("/proc") - before;
    assert!(grown < 24 * 1_024, "{grown} KiB more at the peak");
    for (reason, count) in [
        ("too_large", 40),
        ("unpack_ratio", 1),
        ("malformed_compression", 3),
    ] {
        let line = format!("stoa_connections_killed_total{{reason=\"{reason}\"}}");
        assert_eq!(counted(address, &line).await, count, "{reason}");
    }
    good.send(&compressed(b"421[\"ping\"]")).await.unwrap();
    good.wait_for("431[").await;
    assert_served(address).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_parts_of_a_snapshot_are_compressed_once_for_all() {
    const OBSERVERS: usize = 10;
    let server = server().await;
    let address = server.address();
    let note = "x1 y2 z3 ".repeat(800);
    for first in (0..400).step_by(50) {
        let tasks: Vec<Value> = (first..first + 50)
            .map(|n| json!({ "type": "task.created", "data": { "task_id": format!("t{n}"), "note": note } }))
            .collect();
        publish(address, &json!(tasks)).await;
    }
    let joining = (0..OBSERVERS).map(|_| async move {
        let (mut raw, _) = Raw::open_with(address, DEFLATE).await;
        raw.send(&text("40{\"snapshot\":true}")).await.unwrap();
        let mut whole = serde_json::Map::new();
        loop {
            let part = raw.wait_for("42[\"snapshot\"").await;
            let (_, part): (String, Value) = serde_json::from_str(&part[2..]).unwrap();
            whole.extend(part["tasks"].as_object().cloned().unwrap_or_default());
            if part["part"] == part["parts"] {
                return (whole.len(), raw.compressed, part["parts"].as_u64().unwrap());
            }
        }
    });
    let mut parts = 0;
    for (tasks, compressed, all) in futures_util::future::join_all(joining).await {
        assert_eq!(tasks, 400);
        assert!(compressed as u64 >= all && all > 3, "{compressed} of {all}");
        parts = all;
    }
    // Those who join at another moment get another snapshot; some few are made, never one for each.
    let made = counted_in(&server, "stoa_messages_compressed_total");
    let delivered = counted_in(&server, "stoa_deliveries_compressed_total");
    assert!(delivered >= parts * OBSERVERS as u64, "{delivered}");
    assert!(made < delivered / 2, "{made} for {delivered}");
    server.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_that_polled_is_compressed_after_its_upgrade() {
    let server = server().await;
    let address = server.address();
    let sid = wire::open(address, 4).await;
    let path = format!("/socket.io/?EIO=4&transport=polling&sid={sid}");
    wire::once(address, &wire::post(&path, "text/plain", "40")).await;
    let query = format!("EIO=4&transport=websocket&sid={sid}");
    let (mut raw, head) = Raw::upgrade(address, &query, DEFLATE).await;
    assert!(head.contains("permessage-deflate"), "{head}");
    // Compressed from the first packet on.
    raw.send(&compressed(b"2probe")).await.unwrap();
    raw.wait_for("3probe").await;
    // No client sends events before it is let in.
    let mut polled = String::new();
    while !polled.contains("40{") {
        let poll = wire::once(address, &wire::get(&path, "")).await;
        assert_eq!(poll.status, 200);
        polled += &poll.body;
    }
    raw.send(&compressed(b"5")).await.unwrap();
    raw.send(&compressed(b"421[\"ping\"]")).await.unwrap();
    raw.wait_for("431[").await;
    publish(address, &decision(1, 5_000)).await;
    next_decision(&mut raw).await;
    assert_eq!(raw.compressed, 1);
    server.shutdown().await;
}

/// A slow client is parked, its updates are taken back and come again coalesced, and it may leave and come back at any
/// place: compression changes nothing of that.
#[tokio::test(flavor = "multi_thread")]
async fn who_is_far_behind_gets_everything_compressed_and_may_leave_anywhere() {
    const BATCH: u64 = 100;
    const HOW: Connecting = Connecting {
        receive: Some(4_096),
        compressed: true,
        source: None,
    };
    let server = server_with(|c| {
        c.server.max_client_buffer.set(128 * 1_024).unwrap();
        c.performance.compression_min_bytes.set(128).unwrap();
    })
    .await;
    let address = server.address();
    let auth = |cursor: Option<&str>| {
        json!({ "cursor": cursor, "filters": { "types": crowd::SLOW_FILTER } }).to_string()
    };
    let mut slow = Socket::connect_as(HOW, address, &auth(None), None)
        .await
        .unwrap();
    // Noise hardly gets smaller: so much waits for it that it is parked.
    let mut random = 7_u64;
    let mut filler = move || -> String {
        let digits = std::iter::repeat_with(|| {
            random ^= random << 13;
            random ^= random >> 7;
            random ^= random << 17;
            format!("{random:x}")
        });
        digits.take(20).collect()
    };
    let mut published = 0;
    let mut end = u64::MAX;
    while published < end {
        let batch: Vec<Value> = (published..published + BATCH)
            .map(|n| crowd::event(n, &filler()))
            .collect();
        publish(address, &json!(batch)).await;
        published += BATCH;
        if end == u64::MAX && counted_in(&server, "stoa_observers_parked_total") > 0 {
            end = 2 * published + 4_000;
        }
    }
    let (mut progress, mut cursor, mut visits, mut inflated) = (Progress::of_slow(), None, 1, 0);
    let reading = async {
        while !progress.has_last_steps(published) {
            let much = 1_500 + visits * 7_919 % 9_000;
            let mut took = 0;
            while took < much && !progress.has_last_steps(published) {
                let read = slow.read_some(much - took, |packet| {
                    let (_, body): (String, Value) = serde_json::from_slice(packet).unwrap();
                    if let Packet::Update(update) = crowd::read(packet) {
                        progress.take(update);
                        cursor = body["cursor"].as_str().map(str::to_owned);
                    }
                });
                took += read.await.expect("it stays connected");
            }
            inflated += slow.compressed;
            visits += 1;
            slow = Socket::connect_as(HOW, address, &auth(cursor.as_deref()), None)
                .await
                .unwrap();
        }
    };
    tokio::time::timeout(PATIENCE, reading)
        .await
        .expect("it ends with the last values");
    assert!(progress.faults.is_empty(), "{:?}", progress.faults);
    assert!(
        visits > 5 && inflated > 50,
        "{visits} visits, {inflated} compressed"
    );
    assert!(counted_in(&server, "stoa_deliveries_taken_back_total") > 0);
    server.shutdown().await;
}
