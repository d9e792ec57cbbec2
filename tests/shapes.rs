//! Rules that carry an application's own names and shapes, by every door.

use std::net::SocketAddr;

use kit::{Client, door::DoorClient, post, server_with, source::Source};
use serde_json::{Value, json};
use stoa::server::Running;

/// The server with these rules.
async fn with(rules: &str) -> Running {
    let parsed: toml::Table = rules.parse().expect("rules");
    server_with(|config| {
        config.transform.rules = parsed["rules"].clone().try_into().expect("rules");
    })
    .await
}

/// A shop's events in the shop's own shapes: whole data, a list, a text, and one with Stoa's fields beside its own.
const SHOP: &str = r#"
    [[rules]]
    match = "shop.*"
    emit = "{type}"
    envelope = false

    [[rules]]
    match = "list.*"
    emit = "items of {data.of}"
    payload = "{data.items}"

    [[rules]]
    match = "word.*"
    emit = "word"
    payload = "{data.text}"

    [[rules]]
    match = "flat.*"
    emit = "flat"
    spread = "{data}"
    fields = { kind = "{change_type}" }
"#;

/// An event that is published, and the update that comes of it.
fn shop() -> Vec<(Value, &'static str, Value)> {
    let sold = json!({ "id": "own", "type": "sale", "timestamp": 1, "cursor": "mine", "n": [1] });
    vec![
        (
            json!({ "type": "shop:sold", "data": sold }),
            "shop:sold",
            sold,
        ),
        (
            json!({ "type": "list.made", "data": { "of": "ann", "items": [1, "two", { "three": null }] } }),
            "items of ann",
            json!([1, "two", { "three": null }]),
        ),
        (
            json!({ "type": "word.said", "data": { "text": "a\u{e9}\n\"b\"" } }),
            "word",
            json!("a\u{e9}\n\"b\""),
        ),
        (
            json!({ "type": "word.said", "data": {} }),
            "word",
            Value::Null,
        ),
    ]
}

async fn publish_shop(address: SocketAddr) {
    let events: Vec<Value> = shop().into_iter().map(|(event, ..)| event).collect();
    let (status, answer) = post(address, &json!(events)).await;
    assert_eq!(status, 202, "{answer}");
}

#[tokio::test(flavor = "multi_thread")]
async fn every_socket_io_client_gets_exactly_the_shape() {
    let server = with(SHOP).await;
    let address = server.address();
    let mut clients = Vec::new();
    for auth in [
        json!({}),
        json!({ "shape": "lean" }),
        json!({ "filters": { "types": ["shop.*", "items*", "word"] } }),
    ] {
        clients.push(Client::connect(address, auth).await.0);
    }
    let (mut batched, _) = Client::connect(address, json!({ "batch": true })).await;
    publish_shop(address).await;
    for client in &mut clients {
        for (_, name, payload) in shop() {
            let packet = loop {
                let text = client.text().await.expect("a packet");
                if text.starts_with(&format!("42[{}", json!(name))) {
                    break text;
                }
            };
            let parsed: Value = serde_json::from_str(&packet[2..]).expect("JSON");
            assert_eq!(parsed, json!([name, payload]));
        }
    }
    let mut seen = Vec::new();
    while seen.len() < shop().len() {
        let mut batch = batched.event("batch").await;
        assert!(batch["cursor"].is_string());
        seen.append(batch["updates"].as_array_mut().expect("updates"));
    }
    let expected: Vec<Value> = shop()
        .into_iter()
        .map(|(_, name, payload)| json!({ "event": name, "payload": payload, "envelope": false }))
        .collect();
    assert_eq!(seen, expected);
    server.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn spread_fields_stand_beside_stoas_own() {
    let server = with(SHOP).await;
    let address = server.address();
    let (mut client, _) = Client::connect(address, json!({})).await;
    let data = json!({ "id": "own", "priority": "huge", "room": 5, "kind": "data's" });
    post(
        address,
        &json!({ "type": "flat.made", "id": "e7", "data": data }),
    )
    .await;
    let update = client.event("flat").await;
    assert_eq!(
        (&update["id"], &update["priority"], &update["type"]),
        (&json!("e7"), &json!("normal"), &json!("flat"))
    );
    assert_eq!(
        (&update["room"], &update["kind"]),
        (&json!(5), &json!("made"))
    );
    assert!(
        update["cursor"].is_string() && update.get("data").is_none(),
        "{update}"
    );
    server.shutdown().await;
}

/// Doors that tell an update's name only in its JSON put the shape beside it.
#[tokio::test(flavor = "multi_thread")]
async fn plain_websockets_are_told_the_name_beside_the_shape() {
    let server = with(SHOP).await;
    let address = server.address();
    for (path, greeting) in [
        ("/api/v1/ws?rooms=project:p1", "connection"),
        ("/ws/shop/", "connection_established"),
        ("/ws/visualization", ""),
        ("/api/stream/projects/p1", "connection"),
    ] {
        let mut client = DoorClient::open(address, path).await.expect(path);
        if greeting.is_empty() {
            // This door has none: an answer comes after the client's place in the hub.
            client.send(&json!({})).await;
            assert_eq!(client.next().await.expect("an answer")["status"], "error");
        } else {
            client.until(greeting).await;
        }
        let in_project = |mut event: Value| {
            event["project_id"] = "p1".into();
            event
        };
        let events: Vec<Value> = shop().into_iter().map(|(e, ..)| in_project(e)).collect();
        post(address, &json!(events)).await;
        for (_, name, payload) in shop() {
            let update = loop {
                let message = client.next().await.expect(path);
                if message["type"] == name {
                    break message;
                }
            };
            assert_eq!(update["payload"], payload, "{path}");
            assert!(update["cursor"].is_string(), "{path} {update}");
            assert_eq!(
                update.as_object().map(serde_json::Map::len),
                Some(3),
                "{path}"
            );
        }
    }
    let mut client = DoorClient::open(address, "/ws/shop/?batch=true")
        .await
        .expect("opens");
    client.until("connection_established").await;
    publish_shop(address).await;
    let mut seen = Vec::new();
    while seen.len() < shop().len() {
        let mut message = client.next().await.expect("a message");
        if message["type"] == "batch" {
            seen.append(message["updates"].as_array_mut().expect("updates"));
        }
    }
    let expected = shop();
    let expected = expected
        .iter()
        .map(|(_, name, payload)| json!({ "type": name, "payload": payload }));
    assert_eq!(seen, expected.collect::<Vec<_>>());
    server.shutdown().await;
}

/// The place in the stream counts although the update does not say it.
#[tokio::test(flavor = "multi_thread")]
async fn who_comes_back_gets_each_shape_once() {
    let server = with(SHOP).await;
    let address = server.address();
    let (mut live, hello) = Client::connect(address, json!({})).await;
    let mut source = Source::open(address, "", None).await;
    source.event("connection_established").await;
    publish_shop(address).await;
    post(address, &json!({ "type": "flat.last", "data": {} })).await;
    let last = live.event("flat").await;
    let mut ids = Vec::new();
    for (_, name, payload) in shop() {
        let sent = source.event(name).await;
        assert_eq!(sent.data, payload);
        ids.push(sent.id.expect("an id"));
    }
    // Server-sent events name the place outside of the shape: each one is known for itself.
    for (at, id) in ids.iter().enumerate() {
        let mut again = Source::open(address, "", Some(id)).await;
        let mut seen = Vec::new();
        loop {
            let sent = again.next().await.expect("an event");
            match &*sent.name {
                "flat" => break,
                // Summaries and greetings have no event behind them.
                name if shop().iter().any(|(_, known, _)| *known == name) => {
                    seen.push((sent.name, sent.data));
                }
                _ => {}
            }
        }
        let expected = shop().into_iter().skip(at + 1);
        let expected = expected.map(|(_, name, data)| (name.to_owned(), data));
        assert_eq!(seen, expected.collect::<Vec<_>>());
    }
    // From before them, each is replayed as it is; from the next update with a cursor, none.
    let (mut missed, _) = Client::connect(address, json!({ "cursor": hello["cursor"] })).await;
    missed.event("flat").await;
    let names: Vec<_> = shop()
        .into_iter()
        .map(|(_, name, payload)| (name.to_owned(), payload))
        .collect();
    let of_shop = |events: &[(String, Value)]| -> Vec<(String, Value)> {
        let known = |(name, _): &&(String, Value)| names.iter().any(|(known, _)| known == name);
        events.iter().filter(known).cloned().collect()
    };
    assert_eq!(of_shop(&missed.events), names);
    let (mut none, _) = Client::connect(address, json!({ "cursor": last["cursor"] })).await;
    let events = none.so_far().await;
    assert_eq!(of_shop(&events), []);
    server.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_coalesced_keeps_its_shape_and_goes_to_whom_it_concerns() {
    let server = with(
        r#"
        [[rules]]
        match = "typing.*"
        emit = "{type}"
        coalesce_by = "{data.room}"
        rooms = ["task:{data.for}", "observers"]
        throttle_ms = 200
        envelope = false
    "#,
    )
    .await;
    let address = server.address();
    let (mut everybody, _) = Client::connect(address, json!({})).await;
    let mut of_one = Vec::new();
    for room in ["task:a", "task:b"] {
        let (mut client, _) = Client::connect(address, json!({ "rooms": [room] })).await;
        let left = client
            .call("leave_room", json!({ "room": "observers" }))
            .await;
        assert_eq!(left["status"], "ok", "{left}");
        of_one.push(client);
    }
    let events: Vec<Value> = (0..40)
        .map(|n| {
            let whom = if n % 2 == 0 { "a" } else { "b" };
            let only = format!("only_{whom}");
            json!({ "type": "typing.now", "data": { "room": 1, "for": whom, "n": n, only: true } })
        })
        .collect();
    post(address, &json!(events)).await;
    for (client, (whom, other, last)) in of_one
        .iter_mut()
        .zip([("a", "only_b", 38), ("b", "only_a", 39)])
    {
        let mut updates = 0;
        loop {
            let update = client.event("typing.now").await;
            updates += 1;
            assert_eq!(update["for"], whom);
            assert!(update.get(other).is_none(), "{update}");
            let own = ["room", "for", "n"].len() + 1;
            assert_eq!(
                update.as_object().map(serde_json::Map::len),
                Some(own),
                "{update}"
            );
            if update["n"] == last {
                break;
            }
        }
        assert!(updates < 20, "{updates} were not coalesced");
    }
    for last in [38, 39] {
        everybody
            .event_where("typing.now", |update| update["n"] == last)
            .await;
    }
    server.shutdown().await;
}

/// A page that puts texts into HTML gets a bare text harmless, as every other.
#[tokio::test(flavor = "multi_thread")]
async fn a_bare_text_is_harmless_for_pages() {
    let server = with(SHOP).await;
    let address = server.address();
    let (mut page, _) = Client::connect(address, json!({})).await;
    page.emit("subscribe_metrics", json!({})).await;
    page.event("subscription_confirmed").await;
    let (mut program, _) = Client::connect(address, json!({})).await;
    let evil = "<img src=x onerror=alert(1)>";
    post(
        address,
        &json!({ "type": "word.said", "data": { "text": evil } }),
    )
    .await;
    let seen = page.event("word").await;
    let seen = seen.as_str().expect("a text");
    assert!(
        !seen.contains("<img") && seen.replace('\u{2060}', "") == evil,
        "{seen}"
    );
    assert_eq!(program.event("word").await, evil);
    server.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rule_may_name_a_free_room() {
    let server = with(
        r#"
        [[rules]]
        match = "chat.*"
        emit = "chat message"
        rooms = ["chat/{data.room}"]
        envelope = false
    "#,
    )
    .await;
    let address = server.address();
    let (mut inside, _) = Client::connect(address, json!({ "rooms": ["chat/7"] })).await;
    let (mut outside, _) = Client::connect(address, json!({})).await;
    let data = json!({ "room": 7, "text": "hello" });
    post(address, &json!({ "type": "chat.said", "data": data })).await;
    assert_eq!(inside.event("chat message").await, data);
    let seen = outside.so_far().await;
    assert!(
        seen.iter().all(|(name, _)| name != "chat message"),
        "{seen:?}"
    );
    server.shutdown().await;
}
