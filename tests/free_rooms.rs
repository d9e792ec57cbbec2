//! Rooms of any name: who is let in, what they may cost, and that nobody is in another's room.

use kit::{
    Client, counted_in, get,
    guarded::{grant, guarded, token},
    server, server_with,
};
use serde_json::{Value, json};
use stoa::{
    access::authn::Grant,
    config::{FreeRooms, Role},
};

async fn code(client: &mut Client, room: &str) -> Value {
    let answer = client.call("join_room", json!({ "room": room })).await;
    match answer["status"].as_str() {
        Some("ok") => json!("ok"),
        _ => answer["error"]["code"].clone(),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn without_tokens_anybody_is_in_a_free_room_and_nobody_in_anothers() {
    let server = server().await;
    let address = server.address();
    let (mut ann, hello) = Client::connect(address, json!({ "rooms": ["lobby"] })).await;
    assert_eq!(hello["rooms"], json!(["general", "observers", "lobby"]));
    let (mut bob, _) = Client::connect(address, json!({})).await;
    let joined = bob.call("join_room", json!("lobby")).await;
    assert_eq!(joined["members"], 2, "{joined}");
    for room in ["planet:earth", "a b/c@d.e:f-g_h", "tables/7"] {
        assert_eq!(code(&mut bob, room).await, "ok", "{room}");
    }
    let anns = hello["client_id"].as_str().unwrap();
    for room in [anns, "user:ann", "user:ann%40example.org"] {
        assert_eq!(code(&mut bob, room).await, "forbidden_room", "{room}");
        let refused = Client::open(address, "/", json!({ "rooms": [room] })).await;
        let why = refused.expect_err("another's");
        assert!(why.starts_with("forbidden_room"), "{why}");
    }
    assert_eq!(code(&mut ann, anns).await, "ok", "its own");
    let (_, rooms) = get(address, "/api/v1/ws/rooms").await;
    let expected = json!([
        "a b/c@d.e:f-g_h",
        "general",
        "lobby",
        "observers",
        "planet:earth",
        "tables/7"
    ]);
    assert_eq!(rooms["active_rooms"], expected, "no client's own room");
    let (_, stats) = get(address, "/api/v1/ws/stats").await;
    assert_eq!(stats["active_rooms"], 6);
    let (_, stream) = get(address, &format!("/api/v1/stream?rooms={anns}")).await;
    assert_eq!(stream["error"]["code"], "forbidden_room");
    server.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn with_tokens_a_free_room_takes_a_claim_or_a_setting() {
    let named = Grant {
        rooms: Some(vec!["chat/*".into(), "lobby".into()]),
        user: Some("ann".into()),
        ..grant(Role::Observer)
    };
    let plain = Grant {
        user: Some("bob".into()),
        ..grant(Role::Observer)
    };
    for setting in [FreeRooms::Claim, FreeRooms::All] {
        let server = guarded(|config| {
            config.access.free_rooms = setting;
            config.namespaces.declared = vec!["/free".into()];
        })
        .await;
        let address = server.address();
        for namespace in ["/", "/free"] {
            let auth = json!({ "token": token(&named) });
            let mut ann = Client::open(address, namespace, auth).await.unwrap();
            for room in ["lobby", "chat/1", "chat/a b"] {
                assert_eq!(code(&mut ann, room).await, "ok", "{room}");
            }
            let auth = json!({ "token": token(&plain) });
            let mut bob = Client::open(address, namespace, auth).await.unwrap();
            let open = setting == FreeRooms::All;
            let expected = if open { "ok" } else { "forbidden_room" };
            assert_eq!(code(&mut bob, "lobby").await, expected);
            assert_eq!(code(&mut ann, "other").await, expected);
            assert_eq!(code(&mut bob, "user:ann").await, "forbidden_room");
            assert_eq!(code(&mut bob, "user:bob").await, "ok");
        }
        server.shutdown().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn free_rooms_have_limits_and_each_refusal_says_which() {
    let server = server_with(|config| {
        config.rooms.max_rooms_per_client.set(4).unwrap();
        config.rooms.max_room_size.set(2).unwrap();
        config.rooms.max_free_rooms.set(6).unwrap();
        config.namespaces.declared = vec!["/limits".into()];
    })
    .await;
    let address = server.address();
    let (mut ann, _) = Client::connect(address, json!({})).await;
    let (mut bob, _) = Client::connect(address, json!({})).await;
    let mut eve = Client::open(address, "/limits", json!({})).await.unwrap();
    for n in 0..4 {
        assert_eq!(code(&mut ann, &format!("ann-{n}")).await, "ok");
    }
    assert_eq!(
        code(&mut ann, "ann-5").await,
        "bad_request",
        "four are its most"
    );
    assert_eq!(code(&mut bob, "ann-0").await, "ok");
    let (mut cat, _) = Client::connect(address, json!({})).await;
    assert_eq!(code(&mut cat, "ann-0").await, "room_full");
    assert_eq!(code(&mut eve, "ann-0").await, "ok", "another namespace's");
    assert_eq!(code(&mut eve, "general").await, "ok");
    let full = cat.call("join_room", json!("one-more")).await;
    assert_eq!(full["error"]["code"], "overloaded");
    let why = full["error"]["message"].as_str().unwrap();
    assert!(why.contains("[rooms] max_free_rooms"), "{why}");
    assert_eq!(code(&mut eve, "one-more").await, "overloaded");
    assert_eq!(code(&mut cat, "ann-1").await, "ok", "one that is there");
    assert_eq!(code(&mut cat, "task:t1").await, "ok", "a thing's room");
    for (reason, count) in [("client", 1), ("members", 1), ("rooms", 2)] {
        let name = format!("stoa_rooms_refused_total{{reason=\"{reason}\"}}");
        assert_eq!(counted_in(&server, &name), count, "{reason}");
    }
    // A room is forgotten with its last member.
    ann.close().await;
    kit::wait_for("room for others", async || {
        code(&mut eve, "one-more").await == "ok"
    })
    .await;
    server.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_memory_of_free_rooms_has_a_bound() {
    let server = server_with(|config| {
        config.rooms.max_free_room_bytes.set(16 << 10).unwrap();
    })
    .await;
    let address = server.address();
    let (mut ann, _) = Client::connect(address, json!({})).await;
    let mut taken = 0;
    let refused = loop {
        let room = format!("{taken:0>128}");
        let answer = ann.call("join_room", json!(room)).await;
        if answer["status"] != "ok" {
            break answer;
        }
        taken += 1;
    };
    assert_eq!(refused["error"]["code"], "overloaded", "{refused}");
    let why = refused["error"]["message"].as_str().unwrap();
    assert!(why.contains("[rooms] max_free_room_bytes"), "{why}");
    assert!((20..60).contains(&taken), "{taken}");
    server.shutdown().await;
}
