//! The life of a connection, which is the same at all of these doors.

use kit::{
    door::DoorClient,
    get,
    guarded::{grant, guarded, token},
    refused, server, server_with,
};
use serde_json::json;
use stoa::config::Role;
use tokio_tungstenite::tungstenite::Message;

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
