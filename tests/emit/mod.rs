//! Emissions: what an application emits reaches the members of its rooms as it is.

mod kept;
mod rights;
mod size;

use std::net::SocketAddr;

use kit::{
    Client, counted, get,
    guarded::{grant, guarded, producer, publish, request, token},
    server, server_with,
};
use serde_json::{Value, json};
use stoa::{access::authn::Grant, config::Role};

/// Emits over HTTP; the status and the answer.
async fn emit(address: SocketAddr, body: &Value) -> (u16, Value) {
    let response = kit::http_client()
        .post(format!("http://{address}/api/v1/emit"))
        .json(body)
        .send()
        .await
        .unwrap();
    (response.status().as_u16(), response.json().await.unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_emitted_goes_out_as_it_is() {
    let server = server().await;
    let address = server.address();
    let (mut in_room, _) = Client::connect(address, json!({ "rooms": ["project:p1"] })).await;
    let (mut outside, hello) = Client::connect(address, json!({})).await;
    let data = json!({ "id": 7, "type": "t", "timestamp": "then", "nested": [null, 1.5, "é"] });
    let (status, answer) = emit(
        address,
        &json!({ "event": "chat message", "args": [data], "rooms": "project:p1" }),
    )
    .await;
    assert_eq!((status, &answer["accepted"]), (202, &json!(1)), "{answer}");
    assert_eq!(in_room.event("chat message").await, data);
    // To everyone but one, and to one alone.
    let id = &hello["client_id"];
    emit(
        address,
        &json!([
            { "event": "others", "args": "x", "except": [id] },
            { "event": "only", "args": [1], "room": id },
            { "event": "all" },
        ]),
    )
    .await;
    assert_eq!(in_room.event("others").await, "x");
    assert_eq!(outside.event("only").await, 1);
    in_room.event("all").await;
    outside.event("all").await;
    let (of_room, of_other) = (in_room.so_far().await, outside.so_far().await);
    let names = |events: &[(String, Value)]| events.iter().map(|e| e.0.clone()).collect::<Vec<_>>();
    assert!(!names(&of_room).contains(&"only".to_owned()), "{of_room:?}");
    assert!(
        !names(&of_other).contains(&"others".to_owned()),
        "{of_other:?}"
    );
    assert!(
        !names(&of_other).contains(&"chat message".to_owned()),
        "{of_other:?}"
    );
    server.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn emissions_of_one_sender_stay_in_order_and_an_id_counts_once() {
    let server = server().await;
    let address = server.address();
    let (mut client, _) = Client::connect(address, json!({})).await;
    for part in 0..10 {
        let list: Vec<Value> = (0..100)
            .map(|n| json!({ "event": "n", "args": [part * 100 + n], "id": format!("{part}/{n}") }))
            .collect();
        let (_, answer) = emit(address, &json!(list)).await;
        assert_eq!(answer["accepted"], 100, "{answer}");
        let (_, again) = emit(address, &json!(list)).await;
        assert_eq!(
            (&again["duplicates"], &again["duplicate"]),
            (&json!(100), &json!(true))
        );
    }
    for n in 0..1_000 {
        assert_eq!(client.event("n").await, n);
    }
    server.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn kept_ones_are_in_the_history_and_come_once_to_who_missed_them() {
    let server = server().await;
    let address = server.address();
    let (client, hello) = Client::connect(address, json!({ "rooms": ["project:p1"] })).await;
    let (mut stays, _) = Client::connect(address, json!({ "rooms": ["project:p1"] })).await;
    client.close().await;
    for n in 0..20 {
        let room = if n % 4 == 0 {
            "project:other"
        } else {
            "project:p1"
        };
        let (_, answer) = emit(
            address,
            &json!({ "event": "chat", "args": [n, "x"], "rooms": room, "keep": n % 2 == 1, "id": format!("e{n}") }),
        )
        .await;
        assert_eq!(answer["cursor"].is_string(), n % 2 == 1, "{answer}");
    }
    let (_, again) = emit(address, &json!({ "event": "chat", "args": [1, "x"], "rooms": "project:p1", "keep": true, "id": "e1" })).await;
    assert_eq!(
        (&again["accepted"], &again["duplicates"]),
        (&json!(0), &json!(1)),
        "{again}"
    );
    for n in (0..20).filter(|n| n % 4 != 0) {
        assert_eq!(stays.event("chat").await, n);
    }
    let hello = json!({ "rooms": ["project:p1"], "cursor": hello["cursor"] });
    let (mut client, _) = Client::connect(address, hello).await;
    client.event("resumed").await;
    let missed = client.so_far().await;
    let chat: Vec<_> = missed
        .iter()
        .filter(|(name, _)| name == "chat")
        .map(|(_, n)| n.as_u64().unwrap())
        .collect();
    assert_eq!(chat, (0..20).filter(|n| n % 2 == 1).collect::<Vec<_>>());
    let (_, page) = get(address, "/api/v1/events?type=chat").await;
    let events = page["events"].as_array().unwrap();
    assert_eq!(events.len(), 10, "{page}");
    assert_eq!(events[0]["type"], "chat");
    assert_eq!(
        events[0]["emission"],
        json!({ "event": "chat", "args": [1, "x"], "attachments": [], "rooms": ["project:p1"], "except": [], "namespace": "/" })
    );
    assert_eq!(
        counted(address, "stoa_emissions_total{keep=\"true\"}").await,
        10
    );
    server.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_one_sender_publishes_and_emits_stays_in_order() {
    let server = server().await;
    let address = server.address();
    let (mut client, _) = Client::connect(address, json!({})).await;
    let (mut sender, _) = Client::connect(address, json!({ "role": "producer" })).await;
    let mut acks = Vec::new();
    for n in 0..300 {
        let ack = match n % 3 {
            0 => {
                sender
                    .call_later(
                        "publish",
                        json!({ "type": "decision.logged", "data": { "n": n, "what": "x" } }),
                    )
                    .await
            }
            1 => {
                sender
                    .call_later("emit_to", json!({ "event": "n", "args": n }))
                    .await
            }
            _ => {
                sender
                    .call_later("emit_to", json!({ "event": "n", "args": n, "keep": true }))
                    .await
            }
        };
        acks.push(ack);
    }
    let mut seen = Vec::new();
    while seen.len() < 300 {
        let (name, value) = client.next().await.unwrap();
        match name.as_str() {
            "n" => seen.push(value.as_u64().unwrap()),
            "decision_event" => {
                seen.push(value["data"]["n"].as_u64().or(value["n"].as_u64()).unwrap());
            }
            _ => {}
        }
    }
    assert_eq!(seen, (0..300).collect::<Vec<_>>());
    for ack in acks {
        assert_eq!(sender.ack(ack).await["status"], "ok");
    }
    server.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_has_the_name_and_the_argument() {
    let server = server().await;
    let address = server.address();
    let mut stream = kit::http_client()
        .get(format!("http://{address}/api/v1/stream"))
        .send()
        .await
        .unwrap();
    for emission in [
        json!({ "event": "one", "args": [{ "a": 1 }] }),
        json!({ "event": "two", "args": [1, "x"] }),
        json!({ "event": "bytes", "args": [{ "_placeholder": true, "num": 0 }], "attachments": ["eA=="] }),
        json!({ "event": "none" }),
    ] {
        emit(address, &emission).await;
    }
    let mut text = String::new();
    while !text.contains("event: none") || !text.ends_with("\n\n") {
        text.push_str(&String::from_utf8_lossy(
            &stream.chunk().await.unwrap().unwrap(),
        ));
    }
    for event in [
        "event: one\ndata: {\"a\":1}\n\n",
        "event: two\ndata: [1,\"x\"]\n\n",
        "event: bytes\ndata: {\"base64\":\"eA==\"}\n\n",
        "event: none\ndata: []\n\n",
    ] {
        assert!(text.contains(event), "{event} in {text}");
    }
    server.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_can_not_be_emitted_is_refused_with_its_reason() {
    let server = server_with(|config| {
        config.emit.max_rooms = 2_u64.try_into().unwrap();
        config.emit.max_attachments = 1_u64.try_into().unwrap();
    })
    .await;
    let address = server.address();
    for (emission, code) in [
        (json!({}), "invalid_event"),
        (json!({ "event": "connect" }), "invalid_event"),
        (
            json!({ "event": "agent_action", "rooms": "agent:a" }),
            "invalid_event",
        ),
        (json!({ "event": "e", "roms": "a" }), "bad_request"),
        (
            json!({ "event": "e", "namespace": "/nowhere" }),
            "unknown_namespace",
        ),
        (
            json!({ "event": "e", "rooms": ["a", "b", "c"] }),
            "too_large",
        ),
        (
            json!({ "event": "e", "attachments": ["", ""] }),
            "too_large",
        ),
        (
            json!({ "event": "e", "args": "x".repeat(1 << 20) }),
            "too_large",
        ),
    ] {
        let (status, answer) = emit(address, &emission).await;
        assert_eq!(
            (status, &answer["error"]["code"]),
            (400, &json!(code)),
            "{answer}"
        );
    }
    let (status, answer) = emit(
        address,
        &json!([{ "event": "ok" }, { "event": "disconnect" }]),
    )
    .await;
    assert_eq!((status, &answer["accepted"]), (202, &json!(1)));
    assert_eq!(answer["rejected"][0]["index"], 1);
    server.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn volatile_ones_and_those_beyond_a_full_queue_are_dropped_for_a_client_that_does_not_read() {
    let server = server().await;
    let address = server.address();
    let (slow, _) = Client::connect(address, json!({ "rooms": ["task:slow"] })).await;
    let (mut quick, _) = Client::connect(address, json!({ "rooms": ["task:slow"] })).await;
    let text = "x".repeat(60_000);
    for n in 0..100 {
        emit(
            address,
            &json!({ "event": "big", "args": [n, text], "room": "task:slow" }),
        )
        .await;
        assert_eq!(quick.event("big").await, n);
    }
    emit(
        address,
        &json!({ "event": "v", "args": "last", "room": "task:slow", "volatile": true }),
    )
    .await;
    assert_eq!(quick.event("v").await, "last");
    assert!(counted(address, "stoa_emissions_dropped_total{reason=\"full\"}").await > 0);
    assert_eq!(
        counted(address, "stoa_emissions_dropped_total{reason=\"volatile\"}").await,
        1
    );
    drop(slow);
    server.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_fast_sender_is_slowed_down_and_nobody_who_reads_loses_anything() {
    // The machine may be so busy that a client which reads takes long.
    let server =
        server_with(|config| config.emit.patience_ms = 10_000_u64.try_into().unwrap()).await;
    let address = server.address();
    let (mut client, _) = Client::connect(address, json!({ "rooms": ["task:t1"] })).await;
    let (mut sender, _) = Client::connect(address, json!({ "role": "producer" })).await;
    const ALL: u64 = 2_000;
    let text = "x".repeat(10_000);
    let sending = tokio::spawn(async move {
        for n in 0..ALL {
            let emission = json!({ "event": "big", "args": [n, text], "room": "task:t1" });
            sender.emit("emit_to", emission).await;
        }
        sender
    });
    for n in 0..ALL {
        assert_eq!(client.event("big").await, n);
    }
    sending.await.unwrap().close().await;
    assert_eq!(
        counted(address, "stoa_emissions_dropped_total").await,
        0,
        "20 MB went through a queue of one"
    );
    server.shutdown().await;
}

/// The bodies of polls, in Engine.IO 3, until one has this in it.
async fn poll_until(url: &str, what: &str) -> Vec<u8> {
    loop {
        let answer = kit::http_client().get(url).send().await.unwrap();
        assert_eq!(answer.status(), 200, "before {what}");
        let body = answer.bytes().await.unwrap();
        if String::from_utf8_lossy(&body).contains(what) {
            return body.into();
        }
    }
}

/// Clients of version 2 take bytes as base64 where they can't do otherwise, as in Node.js, and else as they are.
#[tokio::test(flavor = "multi_thread")]
async fn attachments_have_their_type_in_the_polls_of_version_2() {
    let server = server().await;
    let address = server.address();
    for as_base64 in [true, false] {
        let more = if as_base64 { "&b64=1" } else { "" };
        let url = format!("http://{address}/socket.io/?EIO=3&transport=polling{more}");
        let opened = String::from_utf8(poll_until(&url, "sid").await).unwrap();
        let (_, rest) = opened.split_once("\"sid\":\"").unwrap();
        let url = format!("{url}&sid={}", rest.split('"').next().unwrap());
        poll_until(&url, "connection_established").await;
        let placeholder = |num: u8| json!({ "_placeholder": true, "num": num });
        let args = json!(["é", placeholder(0), placeholder(1)]);
        let sent = json!({ "event": "b", "args": args, "attachments": ["AP8=", ""] });
        assert_eq!(emit(address, &sent).await.0, 202);
        let event = format!("452-[\"b\",\"é\",{},{}]", placeholder(0), placeholder(1));
        let expected = match as_base64 {
            true => {
                let units = event.chars().count();
                format!("{units}:{event}6:b4AP8=2:b4").into_bytes()
            }
            false => {
                let len = event.len().to_string();
                let len = len.bytes().map(|digit| digit - b'0');
                let text = [0].into_iter().chain(len).chain([255]).chain(event.bytes());
                text.chain(*b"\x01\x03\xff\x04\x00\xff\x01\x01\xff\x04")
                    .collect()
            }
        };
        assert_eq!(poll_until(&url, "452-").await, expected);
    }
    server.shutdown().await;
}

/// An application of one project reaches no other's clients, however it names their rooms, and asks no agent for anything.
#[tokio::test(flavor = "multi_thread")]
async fn a_sender_of_one_project_writes_to_its_rooms_only_and_never_in_the_servers_name() {
    let server = guarded(|_| {}).await;
    let address = server.address();
    let of = |role, project: &str| {
        token(&Grant {
            projects: Some(vec![project.to_owned()]),
            ..grant(role)
        })
    };
    let started =
        json!({ "type": "agent.started", "project_id": "p2", "data": { "agent_id": "x" } });
    publish(address, &started).await;
    let hello = json!({ "token": of(Role::Producer, "p2"), "role": "producer", "rooms": ["agent:x:actions", "agent:x"] });
    let (mut performer, _) = Client::connect(address, hello).await;
    let sender = of(Role::Producer, "p1");
    let action =
        json!([{ "agent_id": "x", "action": "delete_all", "user_id": "boss", "project_id": "p2" }]);
    for (event, room, code) in [
        ("agent_action", "agent:x:actions", "invalid_event"),
        ("agent_action", "agent:p1/x", "invalid_event"),
        ("chat", "agent:x:actions", "forbidden_room"),
        ("chat", "agent:p1/x:actions", "forbidden_room"),
        ("chat", "agent:x", "forbidden_room"),
        ("chat", "agent:p2/x", "forbidden_room"),
        ("chat", "task:nobody-knows", "forbidden_room"),
        ("error", "project:p1", "forbidden"),
        ("task_update", "project:p1", "forbidden"),
        ("chat", "project:p1", ""),
        ("chat", "agent:p1/x", ""),
        ("chat", "task:p1/nobody-knows", ""),
    ] {
        let emission = json!({ "event": event, "args": action, "rooms": room });
        let (_, answer) = request("POST", address, "/api/v1/emit", &sender, Some(&emission)).await;
        let found = answer["error"]["code"].as_str().unwrap_or_default();
        assert_eq!(found, code, "{event} {room} {answer}");
    }
    let all = json!({ "event": "last" });
    request("POST", address, "/api/v1/emit", &producer(), Some(&all)).await;
    let mut seen = Vec::new();
    loop {
        let (name, _) = performer.next().await.unwrap();
        if name == "last" {
            break;
        }
        seen.push(name);
    }
    let emitted = |name: &&String| ["chat", "agent_action"].contains(&name.as_str());
    assert_eq!(seen.iter().find(emitted), None, "{seen:?}");
    server.shutdown().await;
}
