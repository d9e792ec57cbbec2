//! Packets that the engine can't read: they are answered, and the connection lives.

use serde_json::json;

use kit::polling::Polling;
use kit::{
    Client,
    raw::{BINARY, FINAL, Raw, frame, text},
    server,
};

/// An event with ack id 7, of which something can't be read.
const EVENTS: &[&str] = &[
    "427[",
    "427[]",
    "427[1]",
    "427[null]",
    "427[1,{}]",
    "427[\"publish\",{\"type\":\"x.y\"",
    "427[\"publish\",{\"type\":\"x.y\",\"data\":{\"n\":nan}}]",
    "42/,7[",
    "4511-7[\"publish\",{\"_placeholder\":true,\"num\":0}]",
];

/// Packets that no answer can be given to by an id.
const OTHERS: &[&str] = &[
    "",
    "4",
    "44{}",
    "45",
    "46",
    "47",
    "49[\"x\"]",
    "5",
    "6",
    "9",
    "x",
    "2probe",
    "3probe",
    "0{}",
    "42",
    "42\"ping\"",
    "4299999999999999999999999999999999999999999[\"ping\"]",
    "43[]",
    "45x-[\"a\"]",
    "42/admin,[\"ping\"]",
    "42/nowhere,[\"ping\"]",
];

#[tokio::test(flavor = "multi_thread")]
async fn an_unreadable_packet_is_answered_and_the_connection_lives() {
    let server = server().await;
    let mut raw = Raw::join(server.address()).await;
    for packet in EVENTS {
        raw.send(&text(packet)).await.unwrap();
        raw.wait_for("42[\"error\"").await;
        raw.wait_for("437[{\"error\"").await;
    }
    for packet in OTHERS {
        raw.send(&text(packet)).await.unwrap();
        let error = raw.wait_for("42[\"error\"").await;
        assert!(error.contains("bad_request"), "{packet}: {error}");
    }
    // The engine counts to the first of these.
    raw.send(&text("429223372036854775807[\"ping\"]"))
        .await
        .unwrap();
    raw.wait_for("439223372036854775807[{\"status\":\"ok\"")
        .await;
    for id in [
        "9223372036854775808",
        "18446744073709551616",
        "340282366920938463463374607431768211455",
    ] {
        let packet = format!("42{id}[\"ping\"]");
        raw.send(&text(&packet)).await.unwrap();
        raw.wait_for("42[\"error\"").await;
        let answer = raw.wait_for(&format!("43{id}[")).await;
        assert!(answer.contains("bad_request"), "{answer}");
    }
    // Those that ask for nothing, and say nothing.
    for packet in ["41/admin", "41/nowhere,", "430[]", "4399[NaN"] {
        raw.send(&text(packet)).await.unwrap();
    }
    raw.send(&text("428[\"ping\"]")).await.unwrap();
    raw.wait_for("438[").await;
    let metrics = server.metrics().text();
    let json = "stoa_packets_unreadable_total{reason=\"json\"}";
    assert!(metrics.contains(json), "{metrics}");
    server.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_by_polling_with_both_protocols() {
    let server = server().await;
    for version in [4, 3] {
        let session = Polling::join(server.address(), version).await;
        for (n, packet) in EVENTS.iter().chain(OTHERS).enumerate() {
            if !packet.is_empty() {
                assert_eq!(session.send(packet).await, 200, "{packet}");
            }
            assert_eq!(
                session.send(&format!("421{n}[\"ping\"]")).await,
                200,
                "{packet}"
            );
            session.wait_for(&format!("431{n}[")).await;
        }
        session
            .wait_for("437[{\"error\":{\"code\":\"bad_request\"")
            .await;
        // The engine can't write the answers to these: they are refused as `error` only, and nothing waits for them.
        for n in 0..40_u64 {
            let id = u64::MAX - n;
            assert_eq!(session.send(&format!("42{id}[\"ping\"]")).await, 200);
        }
        // A body that makes no sense as a whole is refused as such.
        if version == 3 {
            let post = session.http.post(&session.url).body("99:4");
            assert_eq!(post.send().await.unwrap().status(), 400);
        }
        session.send("4280[\"ping\"]").await;
        session.wait_for("4380[").await;
    }
    server.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_odd_packet_does_not_take_its_neighbours_with_it() {
    let server = server().await;
    let (mut watcher, _) = Client::connect(server.address(), json!({})).await;
    let mut raw = Raw::open(server.address()).await;
    raw.send(&text("40{\"role\":\"producer\"}")).await.unwrap();
    raw.wait_for("42[\"connection_established\"").await;
    let all: Vec<u8> = [
        r#"421["publish",{"type":"custom.one"}]"#,
        r#"422["publish",{"type":"custom.bad","data":{"n":]}]"#,
        r#"423["publish",{"type":"custom.two"}]"#,
        // A name as Python writes it, which asks for no answer that it could not get.
        r#"424["caf\u00e9",1]"#,
    ]
    .iter()
    .flat_map(|packet| text(packet))
    .collect();
    raw.send(&all).await.unwrap();
    for answer in [
        "431[{\"status\":\"ok\"",
        "432[{\"status\":\"error\"",
        "433[{\"status\":\"ok\"",
        "434[{\"error\":{\"code\":\"unknown_event\"",
    ] {
        raw.wait_for(answer).await;
    }
    for name in ["custom.one", "custom.two"] {
        assert_eq!(watcher.event("generic_update").await["source_type"], name);
    }
    server.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn attachments_that_can_not_be_taken_are_answered() {
    let server = server().await;
    let mut raw = Raw::join(server.address()).await;
    let part = frame(FINAL | BINARY, b"x");
    let announce = |count: u64, ack: u64| {
        let packet = format!("45{count}-{ack}[\"publish\",{{\"_placeholder\":true,\"num\":0}}]");
        text(&packet)
    };
    for (bytes, ack) in [
        // Too many: none of them is taken.
        ([announce(11, 1), part.repeat(11)].concat(), 1),
        // Another packet before all of them came.
        ([announce(2, 2), part.clone()].concat(), 2),
        ([announce(2, 3), part.clone(), announce(1, 4)].concat(), 3),
    ] {
        raw.send(&bytes).await.unwrap();
        raw.send(&text("4250[\"ping\"]")).await.unwrap();
        raw.wait_for(&format!("43{ack}[{{\"error\"")).await;
        raw.wait_for("4350[").await;
    }
    // One that nobody announced.
    raw.send(&part).await.unwrap();
    raw.wait_for("42[\"error\"").await;
    raw.send(&text("4251[\"ping\"]")).await.unwrap();
    raw.wait_for("4351[").await;
    server.shutdown().await;
}

/// The way of version 2: what a namespace is asked for with is written behind its name.
#[tokio::test(flavor = "multi_thread")]
async fn the_query_of_a_namespace_is_that_of_its_hello() {
    let server = server().await;
    for version in [3, 4] {
        let query = format!("EIO={version}&transport=websocket");
        let (mut raw, _) = Raw::upgrade(server.address(), &query, "").await;
        raw.send(&text("40/admin?role=operator&name=old,"))
            .await
            .unwrap();
        raw.wait_for("40/admin").await;
        let hello = raw.wait_for("42/admin,[\"connection_established\"").await;
        assert!(hello.contains("\"role\":\"operator\""), "{hello}");
        raw.send(&text("42/admin?role=operator&name=old,5[\"ping\"]"))
            .await
            .unwrap();
        raw.wait_for("43/admin,5[").await;
        // One that is refused says so under its bare name.
        raw.send(&text("40/conversations?role=emperor,"))
            .await
            .unwrap();
        raw.wait_for("44/conversations,").await;
        raw.send(&text("41/admin?role=operator,")).await.unwrap();
    }
    server.shutdown().await;
}

/// A client that is ended for its deeds is told so in words, and by the close code.
#[tokio::test(flavor = "multi_thread")]
async fn a_connection_that_is_ended_hears_why() {
    let server = server().await;
    let huge = kit::raw::header(FINAL | 1, 2_000_000);
    let unmasked = [0x81, 0x02, b'4', b'2'];
    let no_text = frame(FINAL | 1, b"42\xff");
    for (bytes, code) in [
        (&huge[..], "too_large"),
        (&unmasked, "bad_request"),
        (&no_text, "bad_request"),
    ] {
        let mut raw = Raw::join(server.address()).await;
        raw.send(bytes).await.unwrap();
        let error = raw.wait_for("42[\"error\"").await;
        assert!(error.contains(code), "{error}");
        assert!(matches!(raw.end().await, kit::raw::End::Closed(Some(_))));
    }
    // On no namespace yet: as the answer to a CONNECT.
    let mut raw = Raw::open(server.address()).await;
    raw.send(&frame(FINAL | BINARY, b"x")).await.unwrap();
    let error = raw.wait_for("44{").await;
    assert!(error.contains("bad_request: "), "{error}");
    server.shutdown().await;
}
