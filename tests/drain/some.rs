//! Some clients of a node that connect again: one, those of a user, those of a room.

use kit::{
    Client, START_SECRET, counted,
    guarded::{admin, grant, guarded, request, token},
    post, server,
    source::Source,
};
use serde_json::json;
use stoa::{access::authn::Grant, config::Role};

use super::task;

const OPERATIONS: &str = "/api/v1/operations";

#[tokio::test(flavor = "multi_thread")]
async fn the_clients_of_a_room_come_back_and_miss_nothing() {
    let server = server().await;
    let address = server.address();
    let rooms = json!({ "rooms": ["team"] });
    let (mut one, _) = Client::connect(address, rooms.clone()).await;
    let (mut two, _) = Client::connect(address, rooms.clone()).await;
    let mut stream = Source::open(address, "rooms=team", None).await;
    stream.event("connection_established").await;
    let (mut other, _) = Client::connect(address, json!({})).await;
    post(address, &task(0)).await;
    let emission = json!({ "event": "note", "args": [1], "rooms": ["team"] });
    let (status, _) = request(
        "POST",
        address,
        "/api/v1/emit",
        START_SECRET,
        Some(&emission),
    )
    .await;
    assert_eq!(status, 202);
    let wish = json!({ "operations": [{ "reconnect": { "room": "team", "over_ms": 10 } }] });
    let (status, answer) = request("POST", address, OPERATIONS, START_SECRET, Some(&wish)).await;
    assert_eq!(
        (status, &answer["results"]),
        (200, &json!([{ "status": "ok", "clients": 3 }]))
    );
    let mut cursors = Vec::new();
    for client in [&mut one, &mut two] {
        cursors.push(client.event("task_update").await["cursor"].clone());
        // Updates without a place to come back to went out before.
        assert_eq!(client.event("note").await, 1);
        while client.next().await.is_some() {}
    }
    while stream.next().await.is_some() {}
    post(address, &task(1)).await;
    for cursor in cursors {
        let (mut back, _) =
            Client::connect(address, json!({ "rooms": ["team"], "cursor": cursor })).await;
        assert_eq!(back.event("task_update").await["id"], "e1");
        assert_eq!(back.event("resumed").await["complete"], true);
    }
    assert_eq!(other.event("task_update").await["id"], "e0");
    assert_eq!(other.event("task_update").await["id"], "e1");
    let moved = counted(address, "stoa_drain_moved_total{cause=\"reconnect\"}").await;
    assert_eq!(moved, 3);
    let operations = "stoa_operations_total{operation=\"reconnect\",code=\"ok\"}";
    assert_eq!(counted(address, operations).await, 1);
}

/// A client that has no cursor, but a session, is given it back: all that it was sent before is confirmed.
#[tokio::test(flavor = "multi_thread")]
async fn a_session_without_a_cursor_is_given_back() {
    let server = server().await;
    let address = server.address();
    let mut client = Client::open(address, "/", json!({})).await.unwrap();
    let sid = client.sid.clone();
    let pid = client.pid.clone().expect("a session");
    post(address, &task(0)).await;
    let wish =
        json!({ "operations": [{ "reconnect": sid }, { "reconnect": { "client": "nobody" } }] });
    let (_, answer) = request("POST", address, OPERATIONS, START_SECRET, Some(&wish)).await;
    assert_eq!(
        answer["results"][0],
        json!({ "status": "ok", "clients": 1 }),
        "{answer}"
    );
    assert_eq!(
        answer["results"][1],
        json!({ "status": "ok", "clients": 0 })
    );
    assert_eq!(client.event("task_update").await["id"], "e0");
    while client.next().await.is_some() {}
    post(address, &task(1)).await;
    let mut back = Client::open(address, "/", json!({ "pid": pid }))
        .await
        .unwrap();
    assert_eq!(back.sid, sid, "it is the same session");
    assert_eq!(back.event("task_update").await["id"], "e1");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_admin_has_a_user_connect_again() {
    let server = guarded(|_| {}).await;
    let address = server.address();
    let ann = token(&Grant {
        user: Some("ann".into()),
        ..grant(Role::Observer)
    });
    let (mut one, _) = Client::connect(address, json!({ "token": ann })).await;
    let (mut two, _) = Client::connect(address, json!({ "token": ann })).await;
    let path = "/api/v1/admin/reconnect";
    for wish in [json!({}), json!({ "user": "ann", "client_id": one.sid })] {
        let (status, answer) = request("POST", address, path, &admin(), Some(&wish)).await;
        assert_eq!(status, 400, "{answer}");
    }
    let wish = json!({ "user": "ann" });
    let (status, _) = request("POST", address, path, &ann, Some(&wish)).await;
    assert_eq!(status, 403);
    let (status, answer) = request("POST", address, path, &admin(), Some(&wish)).await;
    assert_eq!((status, &answer), (200, &json!({ "clients": 2 })));
    for client in [&mut one, &mut two] {
        while client.next().await.is_some() {}
        assert!(!client.other.iter().any(|packet| packet.starts_with("41")));
    }
    // She is not kept out, and by /admin it is the same act.
    let (mut back, _) = Client::connect(address, json!({ "token": ann })).await;
    let mut root = Client::open(address, "/admin", json!({ "token": admin() }))
        .await
        .unwrap();
    let answer = root
        .call("reconnect_client", json!({ "client_id": back.sid }))
        .await;
    assert_eq!(answer["clients"], 1, "{answer}");
    while back.next().await.is_some() {}
    let wrong = json!({ "operations": [
        { "reconnect": {} },
        { "reconnect": { "room": "a", "user": "b" } },
        { "reconnect": { "room": "a", "after": 1 } },
        { "reconnect": { "user": "ann", "over_ms": 86_400_001 } },
        { "reconnect": { "user": "nobody" } },
    ] });
    let (_, answer) = request("POST", address, OPERATIONS, &admin(), Some(&wrong)).await;
    for n in 0..4 {
        assert_eq!(
            answer["results"][n]["error"]["code"], "bad_request",
            "{answer}"
        );
    }
    assert_eq!(
        answer["results"][4],
        json!({ "status": "ok", "clients": 0 }),
        "{answer}"
    );
}
