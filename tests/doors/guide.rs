//! `/api/v1/ws`, the workflow guide's socket.

use kit::{
    door::DoorClient,
    guarded::{guarded, observer},
    post, server,
};
use serde_json::{Value, json};

fn keys(message: &Value, keys: &[&str]) {
    for key in keys {
        assert!(!message[key].is_null(), "{key} of {message}");
    }
}

#[tokio::test]
async fn every_message_has_the_guides_fields() {
    let server = server().await;
    let address = server.address();
    let mut client = DoorClient::open(address, "/api/v1/ws").await.unwrap();
    let hello = client.next().await.unwrap();
    assert_eq!(hello["type"], "connection");
    assert_eq!(hello["event"], "connected");
    keys(&hello, &["connection_id", "timestamp", "cursor"]);

    let room = "execution:123e4567-e89b-12d3-a456-426614174000";
    client
        .send(&json!({ "type": "subscribe", "room_id": room }))
        .await;
    let said = client.next().await.unwrap();
    assert_eq!(said["type"], "subscription");
    assert_eq!(said["event"], "subscribed");
    assert_eq!(said["room_id"], room);
    keys(&said, &["timestamp"]);

    let execution = "123e4567-e89b-12d3-a456-426614174000";
    post(address, &json!({ "type": "workflow.run.updated", "data": {
        "execution_id": execution, "status": "running", "progress_percentage": 45.5, "completed_nodes": 3,
        "total_nodes": 7, "current_node": "node-3" } }))
    .await;
    let update = client.next().await.unwrap();
    assert_eq!(update["type"], "execution_update");
    assert_eq!(update["event"], "status_changed");
    let data = json!({ "execution_id": execution, "status": "running", "progress_percentage": 45.5,
        "completed_nodes": 3, "total_nodes": 7, "current_node": "node-3" });
    assert_eq!(update["data"], data);
    keys(&update, &["timestamp"]);

    post(address, &json!({ "type": "workflow.node.started", "data": {
        "execution_id": execution, "node_execution_id": "abc-def-ghi", "node_id": "node-1",
        "node_name": "Customer Support Agent", "status": "running", "message": "Processing customer inquiry..." } }))
    .await;
    let update = client.next().await.unwrap();
    assert_eq!(update["type"], "node_update");
    assert_eq!(update["event"], "status_changed");
    assert_eq!(update["data"]["node_name"], "Customer Support Agent");
    assert_eq!(update["data"]["node_execution_id"], "abc-def-ghi");

    client.send(&json!({ "type": "ping" })).await;
    let pong = client.next().await.unwrap();
    assert_eq!(pong["type"], "pong");
    keys(&pong, &["timestamp"]);

    client
        .send(&json!({ "type": "unsubscribe", "room_id": room }))
        .await;
    let said = client.next().await.unwrap();
    assert_eq!(
        (&said["type"], &said["event"]),
        (&json!("subscription"), &json!("unsubscribed"))
    );
    post(
        address,
        &json!({ "type": "workflow.run.completed", "data": { "execution_id": execution } }),
    )
    .await;
    client.send(&json!({ "type": "ping" })).await;
    assert_eq!(
        client.next().await.unwrap()["type"],
        "pong",
        "it left the room"
    );
}

#[tokio::test]
async fn a_message_that_is_wrong_is_told_why_and_the_connection_lasts() {
    let server = server().await;
    let mut client = DoorClient::open(server.address(), "/api/v1/ws")
        .await
        .unwrap();
    client.until("connection").await;
    for (sent, code) in [
        ("no json", "bad_request"),
        ("{\"type\":\"dance\"}", "unknown_event"),
        ("{\"type\":\"subscribe\"}", "bad_request"),
        (
            "{\"type\":\"subscribe\",\"room_id\":\"planet:*\"}",
            "unknown_room_type",
        ),
    ] {
        client.send_text(sent).await;
        let error = client.next().await.unwrap();
        assert_eq!(
            (&error["type"], &error["code"]),
            (&json!("error"), &json!(code)),
            "{sent}"
        );
        keys(&error, &["message"]);
    }
}

#[tokio::test]
async fn rooms_are_for_those_who_may_see_them_and_a_users_own_is_joined_by_itself() {
    let server = guarded(|_| {}).await;
    let address = server.address();
    assert_eq!(
        DoorClient::open(address, "/api/v1/ws").await.unwrap_err(),
        401
    );
    assert_eq!(
        DoorClient::open(address, "/api/v1/ws?token=nonsense")
            .await
            .unwrap_err(),
        401
    );
    let token = observer("ann", &["p1"]);
    let mut client = DoorClient::open(address, &format!("/api/v1/ws?token={token}"))
        .await
        .unwrap();
    let hello = client.until("connection").await;
    assert_eq!(hello["rooms"], json!(["user:ann"]));
    client
        .send(&json!({ "type": "subscribe", "room_id": "execution:of-bob" }))
        .await;
    let error = client.next().await.unwrap();
    assert_eq!(error["type"], "error");
    assert_eq!(error["room_id"], "execution:of-bob");
    assert_eq!(error["code"], "forbidden_room");
}

#[tokio::test]
async fn a_client_resumes_from_its_cursor() {
    let server = server().await;
    let address = server.address();
    let mut client = DoorClient::open(address, "/api/v1/ws").await.unwrap();
    let cursor = client.until("connection").await["cursor"]
        .as_str()
        .unwrap()
        .to_owned();
    drop(client);
    post(
        address,
        &json!({ "type": "workflow.run.created", "data": { "execution_id": "e1" } }),
    )
    .await;
    let path = format!("/api/v1/ws?cursor={cursor}&rooms=execution:e1,workflow:w%201");
    let mut client = DoorClient::open(address, &path).await.unwrap();
    let hello = client.until("connection").await;
    assert_eq!(hello["rooms"], json!(["execution:e1", "workflow:w%201"]));
    let update = client.until("execution_update").await;
    assert_eq!(update["data"]["execution_id"], "e1");
    let path = format!("/api/v1/ws?cursor={cursor}");
    let mut client = DoorClient::open(address, &path).await.unwrap();
    client.until("connection").await;
    let resumed = client.until("resumed").await;
    assert_eq!(resumed["complete"], true);
    let refused = DoorClient::open(address, "/api/v1/ws?rooms=producers").await;
    assert_eq!(refused.map(|_| ()).unwrap_err(), 403);
}
