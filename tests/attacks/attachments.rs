//! Binary attachments: too many, too large, at the wrong time, without an end.

use std::time::Duration;

use base64::{Engine, engine::general_purpose::STANDARD};
use serde_json::{Value, json};
use tempfile::tempdir;

use kit::{
    Client, counted,
    process::{Process, free_port},
    raw::{BINARY, End, FINAL, Raw, assert_served, frame, text},
    server, server_with,
};

/// An event with so many attachments.
fn announcing(count: u64) -> Vec<u8> {
    text(&format!(
        "45{count}-[\"publish\",{{\"_placeholder\":true,\"num\":0}}]"
    ))
}

/// It is answered still.
async fn lives(raw: &mut Raw) {
    raw.send(&text("4250[\"ping\"]")).await.unwrap();
    raw.wait_for("4350[").await;
}

/// Row 1. More attachments than a packet may have are refused when they are announced, and none is kept; as many as it may have
/// are bounded together by the size of one message.
#[tokio::test(flavor = "multi_thread")]
async fn attachments_are_bounded_in_number_and_in_bytes() {
    let folder = tempdir().unwrap();
    let limit = 1_000_000_u64;
    let server = Process::start(
        &folder.path().join("stoa.db"),
        free_port(),
        &[("STOA_SERVER__MAX_HTTP_BUFFER_SIZE", limit.to_string())],
    )
    .await;
    let address = server.address;
    assert_served(address).await;
    let before = server.memory("VmHWM").expect("/proc");

    let part = frame(FINAL | BINARY, &vec![7; 900_000]);
    for count in [11, 1_000_000_000, u64::MAX] {
        let mut raw = Raw::join(address).await;
        raw.send(&announcing(count)).await.unwrap();
        // The bytes that it would send if it were let.
        raw.push(&part.repeat(20)).await;
        lives(&mut raw).await;
    }
    // Ten are allowed, but not ten of this size: the second is over the limit already.
    for _ in 0..10 {
        let mut raw = Raw::join(address).await;
        raw.send(&announcing(10)).await.unwrap();
        raw.push(&part.repeat(10)).await;
        lives(&mut raw).await;
    }
    let grown = server.memory("VmHWM").expect("/proc") - before;
    let bound = 2 * limit / 1_024 + 8 * 1_024;
    assert!(
        grown < bound,
        "{grown} KiB more at the peak, {bound} allowed"
    );
    assert_served(address).await;
}

/// Row 1. An attachment with many places would be as many copies of it: it is refused, by whichever way it comes, whoever
/// could read it.
#[tokio::test(flavor = "multi_thread")]
async fn an_attachment_with_many_places_is_refused() {
    let folder = tempdir().unwrap();
    let server = Process::start(&folder.path().join("stoa.db"), free_port(), &[]).await;
    let address = server.address;
    let mut raw = Raw::join(address).await;
    let before = server.memory("VmHWM").expect("/proc");
    let placeholder = "{\"_placeholder\":true,\"num\":0}";
    let places = vec![placeholder; 5_000].join(",");
    let part = vec![7; 100_000];
    // 500 MB, if each of them were one.
    for event in ["ping", "publish", "unknown"] {
        raw.send(&text(&format!("451-7[\"{event}\",[{places}]]")))
            .await
            .unwrap();
        raw.send(&frame(FINAL | BINARY, &part)).await.unwrap();
        let answer = raw.wait_for("437[").await;
        assert!(answer.contains("bad_request"), "{event}: {answer}");
    }
    // Nothing of an emission goes out, to clients that would have the bytes in their places.
    let emission = format!("{{\"event\":\"e\",\"args\":[{places}]}}");
    let mut whole: Value = serde_json::from_str(&emission).unwrap();
    whole["attachments"] = json!([STANDARD.encode(&part)]);
    let emitted = kit::http_client()
        .post(format!("http://{address}/api/v1/emit"))
        .json(&whole)
        .send()
        .await
        .unwrap();
    assert_eq!(emitted.status(), 400);
    let grown = server.memory("VmHWM").expect("/proc") - before;
    assert!(grown < 32 * 1_024, "{grown} KiB more at the peak");
    lives(&mut raw).await;
}

/// Row 2. A packet that leaves another one's attachments open, or claims what can't be, is answered.
#[tokio::test(flavor = "multi_thread")]
async fn odd_announcements_are_answered() {
    let server = server().await;
    let address = server.address();
    let part = frame(FINAL | BINARY, b"x");
    let text_between = [announcing(2), part.clone(), text("42[\"ping\"]")].concat();
    let again = [announcing(2), part.clone(), announcing(2)].concat();
    let unasked = part.clone();
    for (name, bytes) in [
        ("text while attachments are pending", text_between),
        ("a second announcement meanwhile", again),
        ("an attachment that nobody announced", unasked),
    ] {
        let mut raw = Raw::join(address).await;
        raw.send(&bytes).await.unwrap();
        let error = raw.wait_for("42[\"error\"").await;
        assert!(error.contains("bad_request"), "{name}: {error}");
        lives(&mut raw).await;
    }
    for prefix in [
        "5",
        "5-",
        "5--",
        "5a-",
        "5 1-",
        "5+1-",
        "5-1-",
        "51",
        "51,",
        "5\u{661}-",
        "599999999999999999999999-",
        "50x1-",
        "51/",
        "51-/",
        "51-/,",
        "6",
        "6-",
        "60-",
        "61-",
        "61-x",
        "61-[]",
    ] {
        let mut raw = Raw::join(address).await;
        raw.send(&text(&format!("4{prefix}"))).await.unwrap();
        raw.send(&part).await.unwrap();
        raw.send(&text("45")).await.ok();
        lives(&mut raw).await;
    }
    // None at all is odd but whole: the event comes at once, and nothing waits for more.
    let mut raw = Raw::join(address).await;
    raw.send(&text("450-1[\"ping\"]")).await.unwrap();
    raw.send(&text("422[\"ping\"]")).await.unwrap();
    raw.wait_for("432[").await;
    assert_served(address).await;
    server.shutdown().await;
}

/// Row 2. Attachments that come too late are no longer those of the packet that announced them.
#[tokio::test(flavor = "multi_thread")]
async fn attachments_that_come_too_late_are_not_taken() {
    // Longer than a busy machine needs to join.
    let limit = Duration::from_secs(3);
    let server = server_with(|c| c.server.connect_timeout.set(limit.as_secs_f64()).unwrap()).await;
    let address = server.address();
    let mut raw = Raw::join(address).await;
    raw.send(&announcing(2)).await.unwrap();
    raw.send(&frame(FINAL | BINARY, &[7; 50_000]))
        .await
        .unwrap();
    // The passing of time is the attack.
    tokio::time::sleep(2 * limit).await;
    raw.send(&frame(FINAL | BINARY, &[7; 50_000])).await.ok();
    let error = raw.wait_for("42[\"error\"").await;
    assert!(error.contains("too late"), "{error}");
    lives(&mut raw).await;
    assert_served(address).await;
    server.shutdown().await;
}

/// Row 3. Before CONNECT nothing is kept: the first attachment closes the connection.
#[tokio::test(flavor = "multi_thread")]
async fn attachments_before_connect_are_closed_with_1008() {
    let server = server().await;
    let address = server.address();
    for first in ["451-[\"publish\",{}]", "4510-[\"publish\",{}]", "461-0[]"] {
        let mut raw = Raw::open(address).await;
        raw.send(&text(first)).await.unwrap();
        raw.send(&frame(FINAL | BINARY, &[7; 50_000]))
            .await
            .unwrap();
        assert_eq!(raw.end().await, End::Closed(Some(1008)), "{first}");
    }
    // A refused CONNECT is none.
    let mut raw = Raw::open(address).await;
    raw.send(&text("40{\"role\":\"emperor\"}")).await.unwrap();
    raw.wait_for("44").await;
    raw.send(&frame(FINAL | BINARY, b"x")).await.unwrap();
    assert_eq!(raw.end().await, End::Closed(Some(1008)));
    // One right behind a CONNECT that is not judged yet is early only if that is refused.
    let mut raw = Raw::open(address).await;
    let event =
        r#"451-7["publish",{"type":"custom.thing","data":{"blob":{"_placeholder":true,"num":0}}}]"#;
    let burst = [
        text(r#"40{"role":"producer"}"#),
        text(event),
        frame(FINAL | BINARY, b"x"),
    ];
    raw.send(&burst.concat()).await.unwrap();
    let receipt = raw.wait_for("437[").await;
    assert!(receipt.contains("\"accepted\":1"), "{receipt}");
    let early = "stoa_connections_killed_total{reason=\"before_connect\"";
    assert_eq!(counted(address, early).await, 4);

    // After it they are what they are for.
    let (mut producer, _) = Client::connect(address, json!({ "role": "producer" })).await;
    producer
        .send_text(r#"451-7["publish",{"type":"custom.thing","data":{"blob":{"_placeholder":true,"num":0}}}]"#)
        .await;
    producer.send_binary(vec![1, 2, 3]).await;
    assert_eq!(producer.ack(7).await["accepted"], 1);
    assert_served(address).await;
    server.shutdown().await;
}
