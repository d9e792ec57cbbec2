//! Presence: who is in a room, who is told of it, and visitors that come by HTTP.

use std::net::SocketAddr;

use kit::{
    Client, counted_in, get,
    guarded::{grant, guarded, token},
    server, server_with, wait_for,
};
use serde_json::{Value, json};
use stoa::{access::authn::Grant, config::Role};

async fn visit(address: SocketAddr, token: Option<&str>, body: &Value) -> (u16, Value) {
    let post = kit::http_client().post(format!("http://{address}/api/v1/presence"));
    let post = match token {
        Some(token) => post.bearer_auth(token),
        None => post,
    };
    let answer = post.json(body).send().await.unwrap();
    (answer.status().as_u16(), answer.json().await.unwrap())
}

async fn members(address: SocketAddr, path: &str, token: &str) -> (u16, Value) {
    let get = kit::http_client().get(format!("http://{address}/api/v1/rooms/{path}"));
    let answer = get.bearer_auth(token).send().await.unwrap();
    (answer.status().as_u16(), answer.json().await.unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn members_who_ask_are_told_who_comes_and_who_leaves() {
    let server = server_with(|config| config.namespaces.declared = vec!["/seats".into()]).await;
    let address = server.address();
    for namespace in ["/", "/seats"] {
        let open = async || Client::open(address, namespace, json!({})).await.unwrap();
        let mut ann = open().await;
        let early = ann.call("presence", json!({ "room": "lobby" })).await;
        assert_eq!(early["error"]["code"], "forbidden_room", "not in it yet");
        ann.call("join_room", json!("lobby")).await;
        let asked = ann
            .call("presence", json!({ "room": "lobby", "on": true }))
            .await;
        assert_eq!(
            (&asked["members"], &asked["on"]),
            (&json!(1), &json!(true)),
            "{asked}"
        );
        let (mut bob, mut eve) = (open().await, open().await);
        bob.call("join_room", json!("lobby")).await;
        let joined = ann.event("presence").await;
        assert_eq!(
            (
                &joined["event"],
                &joined["client_id"],
                &joined["members"],
                &joined["room"]
            ),
            (&json!("join"), &json!(bob.sid), &json!(2), &json!("lobby")),
            "{joined}"
        );
        eve.call("join_room", json!("elsewhere")).await;
        bob.call("leave_room", json!("lobby")).await;
        let left = ann.event("presence").await;
        assert_eq!(
            (&left["event"], &left["client_id"]),
            (&json!("leave"), &json!(bob.sid))
        );
        // A connection that ends leaves its rooms.
        bob.call("join_room", json!("lobby")).await;
        ann.event_where("presence", |told| told["event"] == "join")
            .await;
        bob.close().await;
        let gone = ann
            .event_where("presence", |told| told["event"] == "leave")
            .await;
        assert_eq!(gone["members"], 1, "{gone}");
        // A member that wants to hear no more hears no more.
        ann.call("presence", json!({ "room": "lobby", "on": false }))
            .await;
        eve.call("join_room", json!("lobby")).await;
        ann.call("leave_room", json!("lobby")).await;
        assert!(!ann.names().contains(&"presence"), "{:?}", ann.names());
    }
    server.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_crowd_is_told_whole_and_counted_right() {
    let server = server().await;
    let address = server.address();
    let (mut ann, _) = Client::connect(address, json!({ "rooms": ["hall"] })).await;
    ann.call("presence", json!("hall")).await;
    let crowd = (0..40).map(|_| Client::connect(address, json!({ "rooms": ["hall"] })));
    let crowd = futures_util::future::join_all(crowd).await;
    let mut named = 0;
    while named < 40 {
        let news = ann.event("presence").await;
        named += match news["event"].as_str() {
            Some("join") => 1,
            _ => news["joined"].as_array().unwrap().len(),
        };
    }
    let (_, members) = get(address, "/api/v1/rooms/hall/members?limit=5").await;
    assert_eq!(
        (&members["members"], &members["complete"]),
        (&json!(41), &json!(false))
    );
    assert_eq!(members["clients"].as_array().unwrap().len(), 5);
    drop(crowd);
    ann.event_where("presence", |news| news["members"] == 1)
        .await;
    server.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn visitors_are_present_for_as_long_as_they_say() {
    let server = server_with(|config| {
        config.rooms.max_visitors.set(16).unwrap();
        config.rooms.max_room_size.set(2).unwrap();
    })
    .await;
    let address = server.address();
    let (mut ann, _) = Client::connect(address, json!({ "rooms": ["desk"] })).await;
    ann.call("presence", json!("desk")).await;
    let one = json!({ "room": "desk", "id": "agent-1", "ttl": 3 });
    let (status, answer) = visit(address, None, &one).await;
    assert_eq!((status, &answer["visitors"]), (200, &json!(1)), "{answer}");
    let came = ann.event("presence").await;
    assert_eq!(
        (&came["event"], &came["id"]),
        (&json!("join"), &json!("agent-1")),
        "{came}"
    );
    let (_, listed) = get(address, "/api/v1/rooms/desk/members").await;
    assert_eq!(listed["present"][0]["id"], "agent-1", "{listed}");
    assert_eq!(
        (&listed["members"], &listed["visitors"]),
        (&json!(1), &json!(1))
    );
    // Renewed it is the same visit; then its time is over.
    visit(address, None, &one).await;
    let left = ann.event("presence").await;
    assert_eq!(
        (&left["event"], &left["visitors"]),
        (&json!("leave"), &json!(0)),
        "{left}"
    );
    for (body, code) in [
        (json!({ "room": "desk" }), "bad_request"),
        (json!({ "room": "desk", "id": "" }), "bad_request"),
        (
            json!({ "room": "desk", "id": "a", "ttl": 4000 }),
            "bad_request",
        ),
        (
            json!({ "room": "desk", "id": "a", "ttl": -1 }),
            "bad_request",
        ),
        (json!({ "room": "user:bob", "id": "a" }), "forbidden_room"),
        (
            json!({ "room": "desk", "id": "a", "namespace": "/nowhere" }),
            "unknown_namespace",
        ),
    ] {
        let (_, answer) = visit(address, None, &body).await;
        assert_eq!(answer["error"]["code"], code, "{body}: {answer}");
    }
    // An eighth of all visits may be one caller's.
    for n in 0..2 {
        let (status, _) = visit(
            address,
            None,
            &json!({ "room": "desk", "id": n.to_string() }),
        )
        .await;
        assert_eq!(status, 200);
    }
    let (status, full) = visit(address, None, &json!({ "room": "hall", "id": "2" })).await;
    assert_eq!(
        (status, &full["error"]["code"]),
        (503, &json!("overloaded"))
    );
    assert_eq!(
        counted_in(&server, "stoa_rooms_refused_total{reason=\"visitors\"}"),
        1
    );
    let gone = json!({ "room": "desk", "id": "0", "ttl": 0 });
    let (_, answer) = visit(address, None, &gone).await;
    assert_eq!(
        (&answer["present"], &answer["visitors"]),
        (&json!(false), &json!(1))
    );
    server.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn names_are_told_by_right() {
    let server = guarded(|_| {}).await;
    let address = server.address();
    let of = |user: &str, role, rooms: &[&str]| {
        token(&Grant {
            user: Some(user.into()),
            name: Some(format!("{user}'s page")),
            rooms: Some(rooms.iter().map(ToString::to_string).collect()),
            ..grant(role)
        })
    };
    let ann = of("ann", Role::Observer, &["lobby"]);
    let bob = of("bob", Role::Observer, &["other"]);
    let operator = of("op", Role::Operator, &["lobby"]);
    let (mut client, hello) =
        Client::connect(address, json!({ "token": ann, "rooms": ["lobby"] })).await;
    let (_, told) = members(address, "lobby/members", &ann).await;
    let expected = json!([{ "client_id": hello["client_id"], "user": "ann" }]);
    assert_eq!(told["clients"], expected, "{told}");
    let (status, refused) = members(address, "lobby/members", &bob).await;
    assert_eq!(
        (status, &refused["error"]["code"]),
        (403, &json!("forbidden_room"))
    );
    let (_, told) = members(address, "lobby/members", &operator).await;
    assert_eq!(told["clients"][0]["role"], "observer", "{told}");
    assert_eq!(told["clients"][0]["name"], "ann's page", "{told}");
    // In the rooms of everybody there are counts, and names for operators.
    let (_, told) = members(address, "general/members", &bob).await;
    assert_eq!(
        (&told["members"], &told["clients"]),
        (&json!(1), &json!([])),
        "{told}"
    );
    let (_, told) = members(address, "general/members", &operator).await;
    assert_eq!(told["clients"][0]["user"], "ann", "{told}");
    let asked = client.call("presence", json!("general")).await;
    assert_eq!(asked["error"]["code"], "forbidden", "{asked}");
    // In the room of an agent of any project there may be clients of projects that the caller knows nothing of.
    let of_project = |user: &str, project: &str| {
        token(&Grant {
            user: Some(user.into()),
            projects: Some(vec![project.into()]),
            ..grant(Role::Observer)
        })
    };
    let (p1, p2) = (of_project("eve", "p1"), of_project("dan", "p2"));
    let hello = json!({ "token": p2, "rooms": ["agent:x", "agent:p2/x"] });
    let (mut dan, _) = Client::connect(address, hello).await;
    let (_, told) = members(address, "agent:x/members", &p1).await;
    assert_eq!(
        (&told["members"], &told["clients"]),
        (&json!(1), &json!([])),
        "{told}"
    );
    let asked = dan.call("presence", json!("agent:x")).await;
    assert_eq!(asked["error"]["code"], "forbidden", "{asked}");
    let asked = dan.call("presence", json!("agent:p2/x")).await;
    assert_eq!(asked["members"], 1, "{asked}");
    let of_agents = of("chief", Role::Operator, &["agent:x"]);
    let (_, told) = members(address, "agent:x/members", &of_agents).await;
    assert_eq!(told["clients"][0]["user"], "dan", "{told}");
    // A visit belongs to the one who made it.
    let body = json!({ "room": "lobby", "id": "w1" });
    assert_eq!(visit(address, Some(&ann), &body).await.0, 200);
    assert_eq!(visit(address, Some(&operator), &body).await.0, 403);
    assert_eq!(visit(address, Some(&bob), &body).await.0, 403);
    client.close().await;
    wait_for("its end", async || {
        let (_, told) = members(address, "lobby/members", &ann).await;
        told["members"] == 0 && told["present"][0]["user"] == "ann"
    })
    .await;
    server.shutdown().await;
}
