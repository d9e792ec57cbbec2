//! Each way to be wrong gets its code, over Socket.IO and over HTTP, and the connection lives on.

use kit::{Client, get, post, post_raw, server, server_with};
use serde_json::{Value, json};

fn deep(levels: usize) -> Value {
    (0..levels).fold(json!(1), |inner, _| json!({ "x": inner }))
}

/// An event, and the code that refuses it.
fn bad_events() -> Vec<(Value, &'static str)> {
    vec![
        (json!({ "data": {} }), "missing_type"),
        (json!({ "type": "", "data": {} }), "invalid_type"),
        (json!({ "type": "has space", "data": {} }), "invalid_type"),
        (json!({ "type": 7, "data": {} }), "invalid_type"),
        (
            json!({ "type": "x".repeat(129), "data": {} }),
            "invalid_type",
        ),
        (json!({ "type": "task.done", "data": [1] }), "invalid_data"),
        (
            json!({ "type": "task.done", "data": "text" }),
            "invalid_data",
        ),
        (
            json!({ "type": "task.done", "data": {}, "timestamp": "yesterday" }),
            "invalid_timestamp",
        ),
        (
            json!({ "type": "task.done", "data": {}, "timestamp": -5 }),
            "invalid_timestamp",
        ),
        (json!("just text"), "unknown_shape"),
        (json!(17), "unknown_shape"),
        (
            json!({ "update_type": "node_update", "target_id": "n1" }),
            "unknown_shape",
        ),
        (
            json!({ "type": "task.done", "data": { "blob": "x".repeat(65_000) } }),
            "too_large",
        ),
        (json!({ "type": "task.done", "data": deep(40) }), "too_deep"),
        (
            json!({ "type": "task.done", "data": {}, "priority": "urgent!" }),
            "bad_request",
        ),
        (
            json!({ "type": "task.done", "data": {}, "id": "x".repeat(129) }),
            "bad_request",
        ),
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn events_over_http() {
    let server = server().await;
    let address = server.address();
    for (event, code) in bad_events() {
        let (status, answer) = post(address, &event).await;
        assert_eq!(status, 400, "{code}: {answer}");
        assert_eq!(answer["error"]["code"], code, "{answer}");
        assert!(
            answer["error"]["message"].as_str().unwrap().len() > 10,
            "{answer}"
        );
        assert_eq!(answer["rejected"][0]["index"], 0);
    }
    let (status, answer) = post(
        address,
        &json!([{ "type": "a.b" }, { "data": {} }, { "type": "a.c" }]),
    )
    .await;
    assert_eq!((status, &answer["accepted"]), (202, &json!(2)));
    assert_eq!(
        answer["rejected"],
        json!([{ "index": 1, "error": answer["rejected"][0]["error"] }])
    );
    assert_eq!(answer["rejected"][0]["error"]["code"], "missing_type");
    let (status, answer) = post_raw(address, "application/json", "{not json").await;
    assert_eq!(
        (status, &answer["error"]["code"]),
        (400, &json!("bad_request"))
    );
    let very_deep = format!(
        "{{\"type\":\"a.b\",\"data\":{}1{}}}",
        "{\"x\":".repeat(200),
        "}".repeat(200)
    );
    let (status, answer) = post_raw(address, "application/json", very_deep).await;
    assert_eq!(
        (status, &answer["error"]["code"]),
        (400, &json!("too_deep"))
    );
    let (status, answer) = post(address, &json!(vec![json!({ "type": "a.b" }); 1_001])).await;
    assert_eq!(
        (status, &answer["error"]["code"]),
        (413, &json!("too_large"))
    );
    let (status, answer) = post_raw(address, "application/json", " ".repeat(1_100_000)).await;
    assert_eq!(
        (status, &answer["error"]["code"]),
        (413, &json!("too_large"))
    );
    let (status, answer) = get(address, "/api/v1/events?limit=0").await;
    assert_eq!(
        (status, &answer["error"]["code"]),
        (400, &json!("bad_request"))
    );
    let (status, answer) = get(address, "/api/v1/nothing").await;
    assert_eq!(
        (status, &answer["error"]["code"]),
        (404, &json!("not_found"))
    );
    server.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn lines_over_http() {
    let server = server().await;
    let long = format!(
        "{{\"type\":\"a.b\",\"data\":{{\"x\":\"{}\"}}}}",
        "x".repeat(200_000)
    );
    let body = format!(
        "{{\"type\":\"a.b\"}}\n\n{long}\nnot json\n{{\"data\":{{}}}}\n{{\"type\":\"a.c\"}}"
    );
    let (status, answer) = post_raw(server.address(), "application/x-ndjson", body).await;
    assert_eq!(status, 202, "{answer}");
    assert_eq!(answer["accepted"], 2);
    let codes: Vec<_> = answer["rejected"]
        .as_array()
        .unwrap()
        .iter()
        .map(|r| {
            (
                r["index"].as_u64().unwrap(),
                r["error"]["code"].as_str().unwrap(),
            )
        })
        .collect();
    assert_eq!(
        codes,
        [(1, "too_large"), (2, "bad_request"), (3, "missing_type")]
    );
    server.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn events_over_socketio() {
    let server = server().await;
    let (mut producer, _) = Client::connect(server.address(), json!({ "role": "producer" })).await;
    for (event, code) in bad_events() {
        // Several at once, or one: the answer says which, or is the refusal.
        let answer = producer.call("publish", json!([event])).await;
        assert_eq!(answer["status"], "ok", "{answer}");
        assert_eq!(answer["rejected"][0]["error"]["code"], code, "{answer}");
        if !event.is_array() {
            let answer = producer.call("publish", event).await;
            assert_eq!(answer["error"]["code"], code, "{answer}");
            assert_eq!(producer.event("error").await["code"], code);
        }
    }
    let very_deep = format!(
        "421001[\"publish\",{}1{}]",
        "{\"x\":".repeat(200),
        "}".repeat(200)
    );
    producer.send_text(&very_deep).await;
    assert_eq!(producer.ack(1001).await["error"]["code"], "too_deep");
    let answer = producer
        .call("publish", json!(vec![json!({ "type": "a.b" }); 1_001]))
        .await;
    assert_eq!(answer["error"]["code"], "too_large");
    let answer = producer.call("publish", json!({ "type": "a.b" })).await;
    assert_eq!(answer["accepted"], 1, "and the connection lives on");
    server.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn requests_over_socketio() {
    let server = server_with(|c| {
        c.rooms.max_room_size.set(1).unwrap();
        c.rooms.max_rooms_per_client.set(8).unwrap();
    })
    .await;
    let address = server.address();
    let (mut first, _) = Client::connect(address, json!({})).await;
    let (mut client, _) = Client::connect(address, json!({})).await;
    assert_eq!(
        first
            .call("join_room", json!({ "room": "project:full" }))
            .await["status"],
        "ok"
    );
    for (event, argument, code) in [
        (
            "join_room",
            json!({ "room": "lobby!" }),
            "unknown_room_type",
        ),
        (
            "join_room",
            json!({ "room": "planet:*" }),
            "unknown_room_type",
        ),
        (
            "join_room",
            json!({ "room": "producers" }),
            "forbidden_room",
        ),
        (
            "join_room",
            json!({ "room": "agent:a:actions" }),
            "forbidden_room",
        ),
        ("join_room", json!({ "room": "project:full" }), "room_full"),
        ("join_room", json!({ "room": "task:a b" }), "bad_request"),
        ("join_room", json!({ "room": 5 }), "bad_request"),
        ("join_room", json!(null), "bad_request"),
        ("subscribe", json!({}), "bad_request"),
        (
            "subscribe",
            json!({ "room_id": "execution:e1", "filters": { "colour": [] } }),
            "bad_request",
        ),
        (
            "subscribe",
            json!({ "channels": ["agent_notifications!"] }),
            "unknown_room_type",
        ),
        (
            "subscribe",
            json!({ "rooms": (0..20).map(|n| format!("task:{n}")).collect::<Vec<_>>() }),
            "bad_request",
        ),
        ("unsubscribe", json!({}), "bad_request"),
        ("publish", json!({ "type": "a.b" }), "forbidden"),
        (
            "agent_action",
            json!({ "agent_id": "a", "action": "x" }),
            "forbidden",
        ),
        ("get_stats", json!(null), "forbidden"),
        ("get_rooms", json!(null), "forbidden"),
        ("get_history", json!({ "limit": 5_000 }), "bad_request"),
        ("get_history", json!({ "after": "nonsense" }), "bad_request"),
        ("resume", json!({}), "bad_request"),
        ("no_such_event", json!({}), "unknown_event"),
        ("subscribe_flow", json!({}), "bad_request"),
    ] {
        let answer = client.call(event, argument.clone()).await;
        assert_eq!(answer["status"], "error", "{event} {argument}: {answer}");
        assert_eq!(
            answer["error"]["code"], code,
            "{event} {argument}: {answer}"
        );
        if code != "unknown_event" {
            let told = client.event("error").await;
            assert_eq!(told["type"], "error");
            assert_eq!(told["code"], code);
            if code.contains("room") {
                assert!(told["room_id"].is_string(), "{told}");
            }
        }
    }
    assert!(
        client.names().iter().all(|n| *n != "error"),
        "an unknown event is only answered"
    );
    let answer = client.call("join", json!("task:t1")).await;
    assert_eq!(
        answer,
        json!({ "status": "ok", "room": "task:t1", "members": 1 })
    );
    server.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn connecting() {
    let server = server().await;
    for (auth, begins) in [
        (json!({ "role": "emperor" }), "bad_request:"),
        (json!({ "rooms": "lobby!" }), "unknown_room_type:"),
        (json!({ "rooms": ["producers"] }), "forbidden_room:"),
        (
            json!({ "filters": { "min_priority": "loud" } }),
            "bad_request:",
        ),
        (json!({ "snapshot": "maybe" }), "bad_request:"),
        (json!([1]), "bad_request:"),
    ] {
        let refused = Client::open(server.address(), "/", auth.clone())
            .await
            .err();
        assert!(
            refused.as_deref().is_some_and(|m| m.starts_with(begins)),
            "{auth}: {refused:?}"
        );
    }
    server.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn handshakes() {
    let server = server().await;
    let base = format!("http://{}/socket.io/", server.address());
    let http = kit::http_client();
    for (query, upgrade, version, status) in [
        ("EIO=4&transport=websocket", false, "13", 400),
        ("EIO=5&transport=websocket", true, "13", 400),
        ("EIO=4&transport=websocket", true, "8", 426),
        ("EIO=4&transport=websocket&sid=nonsense", true, "13", 400),
        ("EIO=4&transport=carrier-pigeon", false, "13", 400),
        (
            "EIO=4&transport=polling&sid=AAAAAAAAAAAAAAAA",
            false,
            "13",
            400,
        ),
        ("", false, "13", 400),
    ] {
        let mut request = http.get(format!("{base}?{query}"));
        if upgrade {
            request = request
                .header("connection", "Upgrade")
                .header("upgrade", "websocket")
                .header("sec-websocket-version", version)
                .header("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ==");
        }
        assert_eq!(request.send().await.unwrap().status(), status, "{query}");
    }
    server.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_is_refused_on_connecting_is_told_why() {
    let server = server_with(|c| {
        c.rooms.max_room_size.set(1).unwrap();
        c.rooms.max_rooms_per_client.set(2).unwrap();
    })
    .await;
    let address = server.address();
    let rooms = |n: usize| (0..n).map(|i| format!("task:{i}")).collect::<Vec<_>>();
    let (_first, _) = Client::connect(address, json!({ "rooms": rooms(2) })).await;
    let refused = Client::open(address, "/", json!({ "rooms": rooms(3) }))
        .await
        .expect_err("too many rooms");
    assert!(refused.starts_with("bad_request: "), "{refused}");
    // A full room keeps nobody out of the others.
    let (mut late, hello) =
        Client::connect(address, json!({ "rooms": ["task:0", "task:9"] })).await;
    assert_eq!(hello["rooms"], json!(["general", "observers", "task:9"]));
    let told = late.event("error").await;
    assert_eq!(
        (&told["code"], &told["room_id"]),
        (&json!("room_full"), &json!("task:0"))
    );
    server.shutdown().await;
}
