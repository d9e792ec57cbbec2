//! Sessions that begin with a WebSocket, which have no engine: the packets that it would answer.

use kit::{
    raw::{End, FINAL, PING, Raw, frame, text, until_connections},
    server, server_with,
};

const CLOSE: u8 = 0x8;
const PONG_FRAME: u8 = 0x8a;
const CLOSE_FRAME: u8 = 0x88;
const TEXT_FRAME: u8 = 0x81;

/// The next frame that is not about the server's own news.
async fn next(raw: &mut Raw) -> Option<(u8, Vec<u8>)> {
    loop {
        let frame = raw.frame().await?;
        if !frame.1.starts_with(b"42") {
            return Some(frame);
        }
    }
}

#[tokio::test]
async fn packets_right_behind_connect_are_answered_in_their_order() {
    let server = server().await;
    let mut raw = Raw::open(server.address()).await;
    let mut all = text(r#"40{"role":"producer"}"#);
    // A second CONNECT means nothing.
    all.extend(text(r#"40{"role":"producer"}"#));
    for n in 0..5 {
        let event = r#"{"type":"decision.logged","data":{"what":"early"}}"#;
        all.extend(text(&format!(r#"42{n}["publish",{event}]"#)));
    }
    raw.send(&all).await.unwrap();
    let mut came = Vec::new();
    while came.len() < 6 {
        let (_, payload) = next(&mut raw).await.expect("it stays connected");
        came.push(String::from_utf8(payload).unwrap());
    }
    assert!(came[0].starts_with(r#"40{"sid":""#), "{came:?}");
    for (n, answer) in came[1..].iter().enumerate() {
        assert!(answer.starts_with(&format!("43{n}[")), "{came:?}");
        assert!(answer.contains(r#""accepted":1"#), "{answer}");
    }
    server.shutdown().await;
}

#[tokio::test]
async fn frames_of_the_websocket_itself_are_answered() {
    let server = server().await;
    for (sent, answered) in [
        (Some(4_000_u16), Some(4_000_u16)),
        (None, None),
        // This one may stand in no frame.
        (Some(1_005), Some(1_002)),
    ] {
        let mut raw = Raw::join(server.address()).await;
        raw.send(&frame(FINAL | PING, b"are you there"))
            .await
            .unwrap();
        let pong = next(&mut raw).await;
        assert_eq!(pong, Some((PONG_FRAME, b"are you there".to_vec())));
        let code = sent.map(u16::to_be_bytes);
        let payload = code.as_ref().map_or(&[][..], |code| &code[..]);
        raw.send(&frame(FINAL | CLOSE, payload)).await.unwrap();
        assert_eq!(raw.end().await, End::Closed(answered));
        until_connections(server.address(), 0).await;
    }
    server.shutdown().await;
}

#[tokio::test]
async fn a_session_that_its_client_closes_has_left() {
    let server = server().await;
    let mut raw = Raw::join(server.address()).await;
    until_connections(server.address(), 1).await;
    raw.send(&text("1")).await.unwrap();
    assert_eq!(raw.end().await, End::Closed(None));
    until_connections(server.address(), 0).await;
    server.shutdown().await;
}

#[tokio::test]
async fn a_session_that_joins_nothing_is_told_that_it_is_over() {
    let server = server_with(|c| c.server.connect_timeout.set(0.2).unwrap()).await;
    let mut raw = Raw::open(server.address()).await;
    assert_eq!(raw.frame().await, Some((TEXT_FRAME, b"1".to_vec())));
    assert_eq!(raw.frame().await, Some((CLOSE_FRAME, Vec::new())));
    assert_eq!(raw.frame().await, None);
    server.shutdown().await;
}

#[tokio::test]
async fn pings_come_at_their_interval_also_to_a_client_that_joins_late() {
    let server = server_with(|c| {
        c.server.ping_interval.set(0.2).unwrap();
        c.server.ping_timeout.set(5.0).unwrap();
    })
    .await;
    let mut raw = Raw::open(server.address()).await;
    raw.wait_for_ping().await;
    raw.send(&text("3")).await.unwrap();
    raw.send(&text("40")).await.unwrap();
    raw.wait_for("40{").await;
    for _ in 0..3 {
        raw.wait_for_ping().await;
        raw.send(&text("3")).await.unwrap();
    }
    until_connections(server.address(), 1).await;
    server.shutdown().await;
}
