//! The life of a connection, which is the same at all of these doors.

use kit::{
    counted,
    door::DoorClient,
    get,
    guarded::{grant, guarded, token},
    post, refused, server, server_with, wait_for,
};
use serde_json::json;
use stoa::config::Role;
use tokio::{io::AsyncWriteExt, net::TcpStream};
use tokio_tungstenite::tungstenite::{
    Message,
    protocol::frame::{
        Frame,
        coding::{Data, OpCode},
    },
};

#[tokio::test]
async fn a_page_of_a_foreign_origin_is_refused_and_a_plain_get_is_told_so() {
    let server = server().await;
    let address = server.address();
    let foreign = [("Origin", "https://evil.example")];
    let status = DoorClient::open_with(address, "/api/v1/ws", &foreign).await;
    assert_eq!(status.unwrap_err(), 403);
    let (status, body) = get(address, "/api/v1/ws").await;
    assert_eq!(status, 400);
    assert!(body.to_string().contains("handshake"), "{body}");
    assert_eq!(refused(address, "guide", "bad_request").await, 1);
}

#[tokio::test]
async fn a_long_message_ends_the_connection_with_its_code() {
    let server =
        server_with(|config| config.server.max_http_buffer_size.set(70_000).unwrap()).await;
    let mut client = DoorClient::open(server.address(), "/api/v1/ws")
        .await
        .unwrap();
    client.until("connection").await;
    client.send_text(&"x".repeat(80_000)).await;
    assert!(client.next().await.is_none());
    assert_eq!(client.closed.unwrap().0, 1009);
}

#[tokio::test]
async fn bytes_are_no_messages() {
    let server = server().await;
    let mut client = DoorClient::open(server.address(), "/api/v1/ws")
        .await
        .unwrap();
    client.until("connection").await;
    client
        .send_message(Message::Binary(vec![1, 2, 3].into()))
        .await
        .unwrap();
    assert!(client.next().await.is_none());
    assert_eq!(client.closed.unwrap().0, 1003);
}

#[tokio::test]
async fn a_handshake_has_no_body() {
    let server = server().await;
    let with_body = [("Content-Length", "5")];
    let refused = DoorClient::open_with(server.address(), "/api/v1/ws", &with_body).await;
    assert_eq!(refused.unwrap_err(), 400);
}

/// The library collects an answer for each ping: unread ones must not fill the memory.
#[tokio::test]
async fn a_client_that_pings_and_reads_no_answer_is_not_read_either() {
    let server = server_with(|config| {
        config.server.stall_timeout.set(0.5).unwrap();
        config.server.max_control_frames.set(1 << 20).unwrap();
    })
    .await;
    let address = server.address();
    let mut stream = TcpStream::connect(address).await.unwrap();
    let head = format!(
        "GET /api/v1/ws HTTP/1.1\r\nHost: {address}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
         Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    let mut ping = vec![0x89, 0x80 | 125, 0, 0, 0, 0];
    ping.extend([b'x'; 125]);
    let pings = ping.repeat(500);
    let mut sent = 0;
    // More than the kernel's buffers hold on both ways.
    while sent < 256 << 20 && stream.write_all(&pings).await.is_ok() {
        sent += pings.len();
    }
    assert!(sent < 256 << 20, "all of it was read");
    let killed = "stoa_connections_killed_total{reason=\"stalled\"}";
    wait_for("the end of the client", async || {
        counted(address, killed).await == 1
    })
    .await;
}

/// Each fragment costs a header to read, however little is in it.
#[tokio::test]
async fn a_message_in_too_many_pieces_ends_the_connection() {
    let server = server_with(|config| config.server.max_fragments.set(16).unwrap()).await;
    let address = server.address();
    let offers = [("Sec-WebSocket-Extensions", "permessage-deflate")];
    let piece = |kind, is_last| {
        let piece = Frame::message("", OpCode::Data(kind), is_last);
        Message::Frame(piece)
    };
    for (at, headers) in [&[][..], &offers[..]].into_iter().enumerate() {
        let mut client = DoorClient::open_with(address, "/api/v1/ws", headers)
            .await
            .unwrap();
        client.until("connection").await;
        // As many as there may be are read: the message is no JSON, and that is told.
        client.send_message(piece(Data::Text, false)).await.unwrap();
        for _ in 0..14 {
            let more = piece(Data::Continue, false);
            client.send_message(more).await.unwrap();
        }
        let last = piece(Data::Continue, true);
        client.send_message(last).await.unwrap();
        assert_eq!(client.until("error").await["code"], "bad_request");
        client.send_message(piece(Data::Text, false)).await.unwrap();
        for _ in 0..16 {
            let more = piece(Data::Continue, false);
            client.send_message(more).await.ok();
        }
        assert!(client.next().await.is_none());
        let (code, words) = client.closed.unwrap();
        assert_eq!(code, 1008);
        assert!(words.contains("[server] max_fragments"), "{words}");
        let killed = "stoa_connections_killed_total{reason=\"too_many_fragments\"}";
        assert_eq!(counted(address, killed).await, at as u64 + 1);
    }
}

/// Pings and pongs cost work and are no messages; the role of a client does not matter.
#[tokio::test]
async fn a_flood_of_pings_or_pongs_ends_the_connection() {
    let server = server_with(|config| config.server.max_control_frames.set(30).unwrap()).await;
    let address = server.address();
    for (at, path) in ["/ws/visualization", "/ws/show/"].into_iter().enumerate() {
        let mut client = DoorClient::open(address, path).await.unwrap();
        for _ in 0..200 {
            let control = match at {
                0 => Message::Pong(vec![].into()),
                _ => Message::Ping(vec![].into()),
            };
            client.send_message(control).await.ok();
        }
        while client.next().await.is_some() {}
        let (code, words) = client.closed.unwrap();
        assert_eq!(code, 1008);
        assert!(words.contains("[server] max_control_frames"), "{words}");
        let killed = "stoa_connections_killed_total{reason=\"too_many_control_frames\"}";
        assert_eq!(counted(address, killed).await, at as u64 + 1);
    }
}

/// A message that is carried out is an attempt that succeeded, whether or not it is answered; an event counts once.
#[tokio::test]
async fn messages_count_as_what_became_of_them() {
    let server = server().await;
    let address = server.address();
    let count = async |outcome: &str| {
        counted(
            address,
            &format!("stoa_attempts_total{{outcome=\"{outcome}\"}}"),
        )
        .await
    };
    let mut client = DoorClient::open(address, "/ws/show/").await.unwrap();
    let greeting = client.until("connection_established").await;
    assert_eq!(count("ok").await, 1);
    client
        .send(&json!({ "type": "resume", "cursor": greeting["cursor"] }))
        .await;
    client.until("resumed").await;
    // Messages are handled one after the other.
    client.send(&json!({ "type": "ping" })).await;
    client.until("pong").await;
    client.send(&json!({ "type": "nothing" })).await;
    client.until("error").await;
    assert_eq!((count("ok").await, count("refused").await), (3, 1));
    let mut painter = DoorClient::open(address, "/ws/visualization")
        .await
        .unwrap();
    painter
        .send(&json!({ "type": "node_update", "target_id": "n", "changes": {} }))
        .await;
    assert_eq!(painter.next().await.unwrap()["status"], "accepted");
    assert_eq!((count("ok").await, count("refused").await), (5, 1));
}

/// The replay is longer than what may wait for a client, so it goes out while the request is under way.
#[tokio::test]
async fn a_long_resume_on_request_comes_to_its_end() {
    let server = server().await;
    let address = server.address();
    let mut client = DoorClient::open(address, "/ws/show/").await.unwrap();
    let greeting = client.until("connection_established").await;
    let from = greeting["cursor"].as_str().unwrap().to_owned();
    drop(client);
    for n in 0..80 {
        let data = json!({ "agent_id": format!("a{n}"), "text": "x".repeat(50_000) });
        let (status, _) = post(
            address,
            &json!({ "type": "agent.registered", "data": data }),
        )
        .await;
        assert_eq!(status, 202);
    }
    let mut client = DoorClient::open(address, "/ws/show/").await.unwrap();
    client.until("connection_established").await;
    client
        .send(&json!({ "type": "resume", "cursor": from }))
        .await;
    let mut replayed = 0;
    loop {
        let message = client.next().await.expect("the connection lasts");
        match message["type"].as_str() {
            Some("agent_update") => replayed += 1,
            Some("resumed") => break,
            _ => {}
        }
    }
    assert_eq!(replayed, 80);
    client.send(&json!({ "type": "ping" })).await;
    client.until("pong").await;
}

#[tokio::test]
async fn a_session_ends_with_its_token() {
    let server = guarded(|_| {}).await;
    let mut short = grant(Role::Observer);
    short.ttl = std::time::Duration::from_secs(2);
    let path = format!("/api/v1/ws?token={}", token(&short));
    let mut client = DoorClient::open(server.address(), &path).await.unwrap();
    client.until("connection").await;
    assert_eq!(client.until("error").await["code"], "token_expired");
    assert!(client.next().await.is_none());
    assert_eq!(client.closed.unwrap(), (1008, "token_expired".into()));
}

#[tokio::test]
async fn the_server_says_goodbye() {
    let server = server().await;
    let mut client = DoorClient::open(server.address(), "/api/v1/ws")
        .await
        .unwrap();
    client.until("connection").await;
    client.send(&json!({ "type": "ping" })).await;
    client.until("pong").await;
    let down = tokio::spawn(server.shutdown());
    assert_eq!(
        client.until("system_notification").await["level"],
        "warning"
    );
    assert!(client.next().await.is_none());
    assert_eq!(client.closed.unwrap().0, 1001);
    down.await.unwrap();
}
