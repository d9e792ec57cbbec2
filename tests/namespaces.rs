//! Namespaces of applications: declared in the configuration, joined by every transport, and apart from the stream.

use kit::{Client, polling::Polling, post, server_with};
use serde_json::json;
use stoa::server::Running;

async fn server() -> Running {
    server_with(|config| config.namespaces.declared = vec!["/chat".into(), "/jobs".into()]).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_declared_namespace_is_joined_and_another_one_is_not() {
    let server = server().await;
    let address = server.address();
    let mut chat = Client::open(address, "/chat", json!({ "rooms": 3, "room": "lobby" }))
        .await
        .expect("an application's auth is its own");
    let refused = Client::open(address, "/other", json!({})).await;
    assert_eq!(refused.expect_err("not declared"), "Invalid namespace");
    let answer = chat.call("say", json!("hello")).await;
    assert_eq!(answer["error"]["code"], "unknown_event");
    for name in ["get_state", "publish", "subscribe", "get_stats", "ping"] {
        let answer = chat.call(name, json!({})).await;
        assert_eq!(answer["error"]["code"], "unknown_event", "{name}");
    }
    assert!(chat.events.is_empty(), "nobody greets: {:?}", chat.events);
    server.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_that_polls_joins_them_too() {
    let server = server().await;
    let address = server.address();
    for version in [3, 4] {
        let session = Polling::open(address, version).await;
        session.send("40/other,").await;
        session.wait_for("Invalid namespace").await;
        session.send("40/chat,").await;
        session.wait_for("40/chat").await;
        session.send("42/chat,7[\"say\",1]").await;
        session.wait_for("43/chat,7[").await;
        assert!(session.heard().contains("unknown_event"));
        // The server's own namespaces go on as ever.
        if version == 4 {
            session.send("40").await;
        }
        session.wait_for("42[\"connection_established\"").await;
        assert!(
            !session
                .heard()
                .contains("42/chat,[\"connection_established\"")
        );
    }
    server.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_of_the_stream_goes_to_them_and_their_rooms_are_their_own() {
    let server = server().await;
    let address = server.address();
    let (mut watcher, _) = Client::connect(address, json!({})).await;
    let mut chat = Client::open(address, "/chat", json!({})).await.expect("in");
    let mut jobs = Client::open(address, "/jobs", json!({})).await.expect("in");
    for client in [&mut chat, &mut jobs, &mut watcher] {
        let joined = client.call("join_room", json!("task:t1")).await;
        assert_eq!(joined["members"], 1, "a room for each namespace: {joined}");
    }
    let mut other = Client::open(address, "/chat", json!({})).await.expect("in");
    assert_eq!(
        other.call("join_room", json!("task:t1")).await["members"],
        2
    );
    post(
        address,
        &json!({ "type": "task.completed", "data": { "task_id": "t1" } }),
    )
    .await;
    watcher.event("task_update").await;
    for client in [&mut chat, &mut jobs] {
        let left = client.call("leave_room", json!("task:t1")).await;
        assert_eq!(left["status"], "ok");
        assert!(client.events.is_empty(), "{:?}", client.events);
    }
    let again = watcher.call("join_room", json!("task:t1")).await;
    assert_eq!(again["members"], 1, "{again}");
    server.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_session_is_on_several_namespaces_at_a_time() {
    let server = server().await;
    let mut client = Client::open(server.address(), "/chat", json!({}))
        .await
        .expect("in");
    client.send_text("40{}").await;
    client.send_text("40/jobs,{}").await;
    client
        .send_text("42/jobs,1[\"join_room\",\"task:t1\"]")
        .await;
    while !client
        .other
        .iter()
        .any(|packet| packet.starts_with("43/jobs,1["))
    {
        client.call("join_room", json!("task:t2")).await;
    }
    // The client leaves one, and is on the others still.
    client.send_text("41/jobs,").await;
    client
        .send_text("42/jobs,2[\"join_room\",\"task:t1\"]")
        .await;
    assert_eq!(
        client.call("leave_room", json!("task:t2")).await["status"],
        "ok"
    );
    client.send_text("40/jobs,{}").await;
    client
        .send_text("42/jobs,3[\"join_room\",\"task:t1\"]")
        .await;
    while !client
        .other
        .iter()
        .any(|packet| packet.starts_with("43/jobs,3["))
    {
        client.call("leave_room", json!("task:t2")).await;
    }
    let answers: Vec<_> = client
        .other
        .iter()
        .filter(|packet| packet.starts_with("43/jobs,2["))
        .collect();
    assert!(answers.is_empty(), "{answers:?}");
    server.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn tokens_are_asked_for_there_as_everywhere() {
    let server = server_with(|config| {
        config.namespaces.declared = vec!["/chat".into()];
        config.authentication.required = true;
        config.authentication.secret = "a-secret-of-the-tests-that-is-long-enough".into();
    })
    .await;
    let refused = Client::open(server.address(), "/chat", json!({})).await;
    let why = refused.expect_err("a token is required");
    assert!(why.starts_with("unauthorized"), "{why}");
    server.shutdown().await;
}
