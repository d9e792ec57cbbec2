//! Upgrades from polling: failures between the answer 101 and the packet that ends one, after which the session goes on by
//! polling; and the sessions that go on without the engine.

use std::time::Duration;

use kit::guarded::{guarded, producer, request};
use kit::polling::Polling;
use kit::{
    Client, counted,
    raw::{End, FINAL, Raw, frame, text, until_connections},
    server, server_with,
};
use serde_json::json;

/// The way in which an upgrade fails.
#[derive(Debug, Clone, Copy)]
enum Fault {
    CutAfter101,
    CutAfterProbe,
    CloseFrame,
    CloseFrameAfterProbe,
    Reset,
    Silent,
    SilentAfterProbe,
    Garbage,
    GarbageAfterProbe,
    WrongPacket,
}

const FAULTS: [Fault; 10] = [
    Fault::CutAfter101,
    Fault::CutAfterProbe,
    Fault::CloseFrame,
    Fault::CloseFrameAfterProbe,
    Fault::Reset,
    Fault::Silent,
    Fault::SilentAfterProbe,
    Fault::Garbage,
    Fault::GarbageAfterProbe,
    Fault::WrongPacket,
];

async fn begin(session: &Polling) -> Raw {
    let address = session.url.split('/').nth(2).expect("a host").parse();
    let query = format!(
        "EIO={}&transport=websocket&sid={}",
        session.version, session.sid
    );
    let (raw, head) = Raw::upgrade(address.expect("an address"), &query, "").await;
    assert!(head.starts_with("HTTP/1.1 101"), "{head}");
    raw
}

async fn probe(raw: &mut Raw) {
    raw.send(&text("2probe")).await.expect("sends");
    raw.wait_for("3probe").await;
}

/// Fails; what is returned is still open.
async fn fail(session: &Polling, fault: Fault) -> Option<Raw> {
    let mut raw = begin(session).await;
    let garbage = [0xff; 40];
    let close = frame(FINAL | 0x8, &[0x03, 0xe8]);
    match fault {
        Fault::CutAfter101 => return None,
        Fault::Silent => return Some(raw),
        Fault::Garbage => raw.send(&garbage).await.expect("sends"),
        Fault::CloseFrame => raw.send(&close).await.expect("sends"),
        Fault::Reset => {
            raw.stream.set_zero_linger().expect("a socket");
            return None;
        }
        Fault::WrongPacket => raw.send(&text("40")).await.expect("sends"),
        Fault::CutAfterProbe => {
            probe(&mut raw).await;
            return None;
        }
        Fault::CloseFrameAfterProbe => {
            probe(&mut raw).await;
            raw.send(&close).await.expect("sends");
        }
        Fault::SilentAfterProbe => {
            probe(&mut raw).await;
            return Some(raw);
        }
        Fault::GarbageAfterProbe => {
            probe(&mut raw).await;
            raw.send(&garbage).await.expect("sends");
        }
    }
    // The stream ends, and nothing else does.
    raw.end().await;
    None
}

#[tokio::test(flavor = "multi_thread")]
async fn an_upgrade_that_fails_leaves_polling_as_it_was() {
    let server = server().await;
    for version in [4, 3] {
        for fault in FAULTS {
            let session = Polling::join(server.address(), version).await;
            let before = session.polls();
            let still_open = fail(&session, fault).await;
            assert_eq!(session.send("4217[\"ping\",{}]").await, 200, "{fault:?}");
            session.wait_for("4317[").await;
            let polls = session.polls() - before;
            assert!(polls <= 10, "{polls} polls, EIO {version}, {fault:?}");
            drop(still_open);
        }
    }
    let text = server.metrics().text();
    assert!(!text.contains("connections_ended_total{"), "{text}");
    server.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_upgrade_that_hangs_ends_by_itself_and_another_one_succeeds_beside_it() {
    let server = server_with(|config| config.server.connect_timeout.set(3.0).unwrap()).await;
    for version in [4, 3] {
        let session = Polling::join(server.address(), version).await;
        let mut hanging = begin(&session).await;
        let mut probed = begin(&session).await;
        probe(&mut probed).await;
        let mut good = begin(&session).await;
        probe(&mut good).await;
        // Bytes in one piece with the packet are not lost.
        let rest = [text("5"), text("4218[\"ping\",{}]")].concat();
        good.send(&rest).await.unwrap();
        good.wait_for("4318[").await;
        // The session has its stream: the others can't take it away, late or not.
        probed.send(&text("5")).await.ok();
        probed.end().await;
        hanging.end().await;
        good.send(&text("4219[\"ping\",{}]")).await.unwrap();
        good.wait_for("4319[").await;
    }
    server.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_upgrade_of_another_transports_session_is_refused_and_harms_nobody() {
    let server = server().await;
    let address = server.address();
    let session = Polling::join(address, 4).await;
    let mut good = begin(&session).await;
    probe(&mut good).await;
    good.send(&text("5")).await.unwrap();
    good.send(&text("421[\"ping\",{}]")).await.unwrap();
    good.wait_for("431[").await;
    let mut express = Raw::join(address).await;
    let (mut other, _) = kit::Client::connect(address, serde_json::json!({})).await;
    for sid in [&session.sid, &other.sid, "AAAAAAAAAAAAAAAA", "x"] {
        let query = format!("EIO=4&transport=websocket&sid={sid}");
        let (_, head) = Raw::upgrade(address, &query, "").await;
        assert!(head.starts_with("HTTP/1.1 400"), "{sid}: {head}");
    }
    good.send(&text("422[\"ping\",{}]")).await.unwrap();
    good.wait_for("432[").await;
    express.send(&text("421[\"ping\",{}]")).await.unwrap();
    express.wait_for("431[").await;
    other.call("ping", serde_json::json!(null)).await;
    server.shutdown().await;
}

/// A poll that is under way when the stream is probed is let go, and by the time nothing is asked of polling any more.
#[tokio::test(flavor = "multi_thread")]
async fn the_waiting_poll_is_let_go_once_the_stream_is_probed() {
    let server = server().await;
    let session = Polling::join(server.address(), 4).await;
    // The answer comes after all of the greeting.
    session.send(r#"420["ping",{}]"#).await;
    session.wait_for("430[").await;
    // The poll that is under way now.
    let before = session.polls();
    let mut raw = begin(&session).await;
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert_eq!(
        session.polls(),
        before,
        "an upgrade that was not probed touches no poll"
    );
    probe(&mut raw).await;
    session.wait_for("6").await;
    server.shutdown().await;
}

/// Packets sent while the transport changes come once and in order, however the moment falls.
#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_lost_doubled_or_late_when_a_session_leaves_the_engine() {
    const SESSIONS: usize = 20;
    const EVENTS: usize = 400;
    let server = server().await;
    let address = server.address();
    let (mut producer, _) = Client::connect(address, json!({ "role": "producer" })).await;
    let watching: Vec<_> = (0..SESSIONS)
        .map(|nth| {
            tokio::spawn(async move {
                let session = Polling::join(address, 4).await;
                // Each at another moment of the stream of events.
                session.wait_for(&format!("\"nth\":{},", nth * 5)).await;
                let mut raw = session.upgrade().await;
                let last = format!("\"nth\":{},", EVENTS - 1);
                let mut came = session.heard();
                while !came.contains(&last) {
                    came += &raw.text().await.expect("it stays");
                }
                session.until_engine_has_forgotten_it().await;
                let seen = came.split("42[\"decision_event\"").skip(1);
                seen.map(|update| {
                    let (_, rest) = update.split_once("\"nth\":").expect("a number");
                    let (number, _) = rest.split_once(',').expect("its end");
                    number.parse::<usize>().expect("a number")
                })
                .collect::<Vec<_>>()
            })
        })
        .collect();
    until_connections(address, SESSIONS as u64 + 1).await;
    for nth in 0..EVENTS {
        let event = json!({ "type": "decision.logged", "data": { "nth": nth, "what": "x" } });
        producer.call("publish", event).await;
    }
    for one in watching {
        let seen = one.await.expect("no panic");
        assert_eq!(seen, (0..EVENTS).collect::<Vec<_>>());
    }
    server.shutdown().await;
}

/// A session without the engine does all that one with it did.
#[tokio::test(flavor = "multi_thread")]
async fn a_session_that_left_the_engine_goes_on_as_before() {
    let server = server_with(|config| {
        config.server.ping_interval.set(1.0).unwrap();
        config.server.ping_timeout.set(2.0).unwrap();
    })
    .await;
    let address = server.address();
    let session = Polling::join(address, 4).await;
    let mut raw = session.upgrade().await;
    session.until_engine_has_forgotten_it().await;
    until_connections(address, 1).await;
    // Pings come, and who answers them stays.
    for _ in 0..3 {
        raw.wait_for_ping().await;
        raw.send(&text("3")).await.unwrap();
    }
    // The client joins and leaves namespaces, and its transport's id stays its own.
    raw.send(&text("40/conversations,")).await.unwrap();
    let joined = raw.wait_for("40/conversations,").await;
    assert!(joined.contains("\"sid\":"), "{joined}");
    assert!(!joined.contains(&session.sid), "{joined}");
    raw.send(&text("40/nowhere,")).await.unwrap();
    raw.wait_for("44/nowhere,").await;
    raw.send(&text("41/conversations,")).await.unwrap();
    until_connections(address, 1).await;
    let attached = r#"451-7["ping",{"_placeholder":true,"num":0}]"#;
    raw.send(&[text(attached), frame(FINAL | 0x2, b"x")].concat())
        .await
        .unwrap();
    raw.wait_for("437[").await;
    // The end of it in the engine was the end of nothing.
    let ended = server.metrics().text();
    let others: Vec<_> = ended
        .lines()
        .filter(|line| line.starts_with("stoa_connections_ended_total{"))
        .filter(|line| !line.contains("ClientNSDisconnect"))
        .collect();
    assert!(others.is_empty(), "{others:?}");
    raw.send(&frame(FINAL | 0x8, &[0x03, 0xe8])).await.unwrap();
    assert_eq!(raw.end().await, End::Closed(Some(1000)));
    until_connections(address, 0).await;

    // One that goes silent is ended, as is one that leaves its last namespace and closes.
    let session = Polling::join(address, 4).await;
    let mut silent = session.upgrade().await;
    session.until_engine_has_forgotten_it().await;
    silent.end().await;
    let killed = "stoa_connections_killed_total{reason=\"ping_timeout\"";
    assert_eq!(counted(address, killed).await, 1);
    until_connections(address, 0).await;
    server.shutdown().await;
}

/// The server's word ends a client that left the engine, and only its stay on the namespace.
#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_left_the_engine_can_be_disconnected() {
    let server = guarded(|config| config.authentication.required = false).await;
    let address = server.address();
    let session = Polling::join(address, 4).await;
    let mut raw = session.upgrade().await;
    session.until_engine_has_forgotten_it().await;
    let heard = session.heard();
    let (_, id) = heard.split_once("\"client_id\":\"").expect("an id");
    let id = id.split('"').next().expect("its end");
    let operations = json!({ "operations": [{ "disconnect": id }] });
    let asked = Some(&operations);
    let (status, _) = request("POST", address, "/api/v1/operations", &producer(), asked).await;
    assert_eq!(status, 200);
    raw.wait_for("41").await;
    until_connections(address, 0).await;
    // The client may come again by the same WebSocket.
    raw.send(&text("40")).await.expect("sends");
    raw.wait_for("40{").await;
    until_connections(address, 1).await;
    server.shutdown().await;
}
