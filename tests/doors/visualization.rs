//! `/ws/visualization`, the socket of the workflow visualization: one update at a time.

use std::net::SocketAddr;

use kit::{
    counted,
    door::DoorClient,
    guarded::{grant, guarded, observer, token},
    post, refused, server, server_with,
};
use serde_json::{Value, json};
use stoa::config::Role;
use tokio_tungstenite::tungstenite::Message;

const PATH: &str = "/ws/visualization";

async fn open(address: SocketAddr) -> DoorClient {
    DoorClient::open(address, PATH).await.unwrap()
}

/// Sends an update and reads its answer, which is the next message: nobody else publishes.
async fn publish(client: &mut DoorClient, update: &Value) -> Value {
    client.send(update).await;
    client.next().await.unwrap()
}

/// The id with which an update was accepted.
async fn accepted(client: &mut DoorClient, update: &Value) -> String {
    let answer = publish(client, update).await;
    assert_eq!(answer["status"], "accepted", "{answer}");
    assert_eq!(answer.as_object().unwrap().len(), 2, "{answer}");
    answer["update_id"].as_str().unwrap().to_owned()
}

/// Waits until a client is a member: its own answer comes after its place in the hub.
async fn settled(client: &mut DoorClient) {
    let answer = publish(client, &json!({})).await;
    assert_eq!(answer["status"], "error");
}

#[tokio::test]
async fn an_update_is_answered_and_goes_out_to_all_others_field_by_field() {
    let server = server().await;
    let mut screens = [open(server.address()).await, open(server.address()).await];
    for screen in &mut screens {
        settled(screen).await;
    }
    let mut sender = open(server.address()).await;
    let sent = [
        (
            "node_update",
            "n1",
            "high",
            json!({ "status": "completed" }),
        ),
        ("edge_update", "e1", "medium", json!({ "weight": 3 })),
        (
            "layout_update",
            "graph",
            "low",
            json!({ "n1": { "x": 1.5 } }),
        ),
        ("style_update", "n2", "medium", json!({ "color": "red" })),
        (
            "complete_refresh",
            "graph",
            "high",
            json!({ "nodes": [], "edges": [] }),
        ),
    ];
    for (kind, target, priority, changes) in sent {
        let update = json!({ "type": kind, "target_id": target, "changes": changes, "priority": priority,
            "metadata": { "by": "me" } });
        let id = accepted(&mut sender, &update).await;
        for screen in &mut screens {
            let got = screen.next().await.unwrap();
            assert_eq!(got["update_id"], json!(id));
            assert_eq!(got["update_type"], kind);
            assert_eq!(got["type"], kind);
            assert_eq!(got["target_id"], target);
            assert_eq!(got["priority"], priority);
            assert_eq!(got["changes"], changes);
            assert_eq!(got["metadata"], json!({ "by": "me" }));
            assert_eq!(got["source_type"], kind);
            for key in ["timestamp", "id", "cursor"] {
                assert!(got[key].is_string(), "{key} of {got}");
            }
        }
    }
    // Nothing came back to the sender: its next message is an answer again.
    settled(&mut sender).await;
}

#[tokio::test]
async fn the_least_update_is_enough_and_the_model_is_taken_as_it_is() {
    let server = server().await;
    let mut screen = open(server.address()).await;
    settled(&mut screen).await;
    let mut sender = open(server.address()).await;
    let update = json!({ "type": "node_update", "target_id": "test_node", "changes": { "status": "completed" } });
    accepted(&mut sender, &update).await;
    let got = screen.next().await.unwrap();
    assert_eq!(
        (&got["priority"], &got["metadata"]),
        (&json!("medium"), &json!({}))
    );

    let model = json!({ "update_id": "u-7", "update_type": "edge_update", "timestamp": "2026-01-02T03:04:05Z",
        "priority": "low", "target_id": "e9", "changes": { "a": 1 }, "metadata": {} });
    assert_eq!(accepted(&mut sender, &model).await, "u-7");
    let got = screen.next().await.unwrap();
    assert_eq!(got["update_id"], "u-7");
    assert_eq!(got["timestamp"], "2026-01-02T03:04:05.000Z");
    // The same again is not another update, and is accepted.
    assert_eq!(accepted(&mut sender, &model).await, "u-7");

    // Python's json.loads reads bytes, too.
    let bytes = update.to_string().into_bytes();
    sender
        .send_message(Message::Binary(bytes.into()))
        .await
        .unwrap();
    assert_eq!(sender.next().await.unwrap()["status"], "accepted");
    assert_eq!(screen.next().await.unwrap()["target_id"], "test_node");
}

#[tokio::test]
async fn an_update_that_is_wrong_is_told_why_and_the_connection_lasts() {
    let server = server().await;
    let mut client = open(server.address()).await;
    let update = |key: &str, value: Value| {
        let mut update = json!({ "type": "node_update", "target_id": "n", "changes": {} });
        update[key] = value;
        update.to_string()
    };
    let long = update("changes", json!({ "text": "x".repeat(300_000) }));
    for (sent, code, says) in [
        ("no json", "bad_request", "JSON"),
        ("[1]", "bad_request", "object"),
        ("{}", "missing_type", "node_update"),
        (
            &update("type", json!("node_dance")),
            "invalid_type",
            "node_dance",
        ),
        (
            &update("type", json!(7)),
            "invalid_type",
            "complete_refresh",
        ),
        (
            &update("target_id", Value::Null),
            "invalid_data",
            "target_id is missing",
        ),
        (
            &update("target_id", json!(5)),
            "invalid_data",
            "target_id is 5",
        ),
        (
            &update("changes", Value::Null),
            "invalid_data",
            "changes is missing",
        ),
        (
            &update("changes", json!([])),
            "invalid_data",
            "changes is []",
        ),
        (
            &update("priority", json!("urgent")),
            "invalid_data",
            "high, medium or low",
        ),
        (
            &update("priority", json!("critical")),
            "invalid_data",
            "high, medium or low",
        ),
        (
            &update("update_id", json!("i".repeat(200))),
            "bad_request",
            "128",
        ),
        (&long, "too_large", "max_message_size"),
    ] {
        client.send_text(sent).await;
        let answer = client.next().await.unwrap();
        let sent: String = sent.chars().take(100).collect();
        assert_eq!(answer["status"], "error", "{sent}: {answer}");
        assert_eq!(answer["code"], code, "{sent}: {answer}");
        let error = answer["error"].as_str().unwrap();
        assert!(error.contains(says), "{sent}: {error}");
    }
    client
        .send_message(Message::Binary(vec![0xff, 0xfe].into()))
        .await
        .unwrap();
    assert_eq!(client.next().await.unwrap()["status"], "error");
    let update = json!({ "type": "node_update", "target_id": "n", "changes": {} });
    accepted(&mut client, &update).await;
    assert!(refused(server.address(), "visualization", "invalid_data").await >= 6);
}

#[tokio::test]
async fn only_who_may_publish_changes_the_graph_and_who_may_not_see_it_does_not() {
    let server = guarded(|_| {}).await;
    let address = server.address();
    assert_eq!(DoorClient::open(address, PATH).await.unwrap_err(), 401);
    let path = |token: &str| format!("{PATH}?token={token}");
    let with = async |token: &str| DoorClient::open(address, &path(token)).await.unwrap();
    let (mut ann, mut bob) = (
        with(&observer("ann", &["p1"])).await,
        with(&observer("bob", &["p2"])).await,
    );
    let update = json!({ "type": "node_update", "target_id": "n", "changes": { "a": 1 }, "project_id": "p1" });
    for client in [&mut ann, &mut bob] {
        let answer = publish(client, &update).await;
        assert_eq!(
            (&answer["status"], &answer["code"]),
            (&json!("error"), &json!("forbidden"))
        );
    }
    let mut producer = with(&token(&grant(Role::Producer))).await;
    accepted(&mut producer, &update).await;
    let other = json!({ "type": "node_update", "target_id": "m", "changes": { "a": 1 }, "project_id": "p2" });
    accepted(&mut producer, &other).await;
    assert_eq!(ann.next().await.unwrap()["target_id"], "n");
    assert_eq!(bob.next().await.unwrap()["target_id"], "m");
    assert_eq!(
        DoorClient::open(
            address,
            &format!("{}&rooms=project:p2", path(&observer("ann", &["p1"])))
        )
        .await
        .unwrap_err(),
        403
    );
}

#[tokio::test]
async fn each_other_event_is_an_update_of_what_it_is_about() {
    let server = server().await;
    let address = server.address();
    let mut screen = open(address).await;
    settled(&mut screen).await;
    let mut next = async |event: Value| {
        post(address, &event).await;
        screen.next().await.unwrap()
    };
    let got = next(
        json!({ "type": "agent.status.changed", "data": { "agent_id": "a1", "old_status": "idle",
        "new_status": "active" } }),
    )
    .await;
    assert_eq!(got["update_type"], "node_update");
    assert_eq!(
        (&got["target_id"], &got["priority"]),
        (&json!("a1"), &json!("medium"))
    );
    assert_eq!(got["changes"]["new_status"], "active");
    assert_eq!(
        got["metadata"],
        json!({ "source_type": "agent.status.changed", "update": "agent_update",
        "target_kind": "agent" })
    );
    assert_eq!(got["update_id"], got["id"]);
    let got = next(json!({ "type": "system.health.changed", "data": { "severity": "critical", "message": "down" } })).await;
    assert_eq!(
        (&got["priority"], &got["changes"]["message"]),
        (&json!("high"), &json!("down"))
    );
    let got =
        next(json!({ "type": "decision.made", "data": { "decision": "ship", "agent_id": "a1" } }))
            .await;
    assert_eq!(got["changes"]["decision"], "ship");
    assert!(
        got["changes"].get("cursor").is_none() && got["changes"].get("hint").is_none(),
        "{got}"
    );
    let got = next(json!({ "type": "something.else", "data": { "x": 1 } })).await;
    assert_eq!(
        (&got["source_type"], &got["changes"]["x"]),
        (&json!("something.else"), &json!(1))
    );
    assert_eq!(counted(address, "stoa_connections_killed_total").await, 0);
}

#[tokio::test]
async fn a_client_resumes_from_the_cursor_of_any_update() {
    let server = server_with(|config| config.transform.throttle_ms.set(0).unwrap()).await;
    let address = server.address();
    let mut screen = open(address).await;
    settled(&mut screen).await;
    let update = |at: usize| json!({ "type": "node_update", "target_id": format!("n{at}"), "changes": { "at": at } });
    post(address, &update(0)).await;
    let cursor = screen.next().await.unwrap()["cursor"]
        .as_str()
        .unwrap()
        .to_owned();
    drop(screen);
    for at in 1..4 {
        post(address, &update(at)).await;
    }
    let mut screen = DoorClient::open(address, &format!("{PATH}?cursor={cursor}"))
        .await
        .unwrap();
    let mut seen = Vec::new();
    let mut resumed = Value::Null;
    while seen.len() < 3 || resumed.is_null() {
        let got = screen.next().await.unwrap();
        match got["type"].as_str() {
            Some("resumed") => resumed = got,
            _ => seen.push(got["changes"]["at"].as_u64().unwrap()),
        }
    }
    assert_eq!(seen, [1, 2, 3]);
    assert_eq!(resumed["complete"], true);
}

#[tokio::test]
async fn updates_of_several_senders_that_are_coalesced_go_to_all_of_them() {
    let server = server_with(|config| config.transform.throttle_ms.set(300).unwrap()).await;
    let mut both = [open(server.address()).await, open(server.address()).await];
    for client in &mut both {
        settled(client).await;
    }
    let [one, two] = &mut both;
    let update =
        |key: &str| json!({ "type": "node_update", "target_id": "n", "changes": { key: 1 } });
    accepted(one, &update("first")).await;
    assert_eq!(two.next().await.unwrap()["changes"], json!({ "first": 1 }));
    // Both are held in the window that the first opened.
    accepted(one, &update("of_one")).await;
    accepted(two, &update("of_two")).await;
    for client in [one, two] {
        let got = client.next().await.unwrap();
        assert_eq!(got["changes"], json!({ "of_one": 1, "of_two": 1 }));
        assert_eq!(got["coalesced"], 2);
    }
}
