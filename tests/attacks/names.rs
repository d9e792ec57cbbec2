//! Names of events and rooms that mean something to somebody else: reserved, invisible, endless.

use serde_json::{Value, json};

use kit::{Client, START_SECRET, post, raw::assert_served, server};

/// The names that Socket.IO clients keep for themselves.
const RESERVED: [&str; 6] = [
    "connect",
    "connect_error",
    "disconnect",
    "disconnecting",
    "newListener",
    "removeListener",
];
/// Others that mean something to a runtime, to this server, or to whoever prints them.
const ODD: [&str; 14] = [
    "",
    " ",
    "error",
    "__proto__",
    "constructor",
    "toString",
    "connection_established",
    "snapshot",
    "resumed",
    "\u{0}lane",
    "a\nb",
    "\u{1b}[2J",
    "\u{202e}txt",
    "\u{feff}ping",
];

fn long() -> String {
    "x".repeat(10_240)
}

/// The names of what came, but for the summary that everybody gets from time to time.
fn names(events: Vec<(String, Value)>) -> Vec<String> {
    let names = events.into_iter().map(|(name, _)| name);
    names
        .filter(|name| name != "conversation_summary")
        .collect()
}

/// Row 22. A client's event of such a name is nobody's: it is answered `unknown_event` and reaches no one.
#[tokio::test(flavor = "multi_thread")]
async fn events_of_clients_with_such_names_reach_nobody() {
    let server = server().await;
    let address = server.address();
    let (mut watcher, _) = Client::connect(address, json!({ "token": START_SECRET })).await;
    let long = long();
    for name in RESERVED.iter().chain(&ODD).copied().chain([long.as_str()]) {
        let (mut attacker, _) = Client::connect(address, json!({ "role": "producer" })).await;
        match attacker
            .try_call(name, json!({ "message": "forged" }))
            .await
        {
            Some(answer) => {
                assert_eq!(
                    answer["error"]["code"], "unknown_event",
                    "{name:?}: {answer}"
                );
                let came = names(attacker.so_far().await);
                assert!(
                    came.is_empty(),
                    "nothing comes back but the answer: {came:?}"
                );
            }
            // The engine reads no name that JSON writes with an escape, and ends such a connection.
            None => assert!(
                json!(name).to_string().contains('\\'),
                "{name:?} is no reason to close"
            ),
        }
    }
    let heard = names(watcher.so_far().await);
    assert!(heard.is_empty(), "and nobody else hears of it: {heard:?}");
    assert_served(address).await;
    server.shutdown().await;
}

/// Row 22. A producer's type is never an update's name: whatever it says, it comes as data of a known update or not at all.
#[tokio::test(flavor = "multi_thread")]
async fn types_of_producers_are_never_the_name_of_an_event() {
    let server = server().await;
    let address = server.address();
    let (mut watcher, _) = Client::connect(address, json!({})).await;
    for name in RESERVED.iter().copied().chain([
        "connection_established",
        "snapshot",
        "resumed",
        "constructor",
        "__proto__",
    ]) {
        let (status, answer) = post(
            address,
            &json!({ "type": name, "data": { "sid": "forged" } }),
        )
        .await;
        assert_eq!(status, 202, "{name}: {answer}");
        let update = watcher.event("generic_update").await;
        assert_eq!(update["source_type"], name);
    }
    let kept = |name: &Value| -> bool {
        let name = name.as_str().unwrap();
        name.chars()
            .all(|c| c.is_ascii_alphanumeric() || "_.:-".contains(c))
    };
    for name in ODD
        .map(Value::from)
        .into_iter()
        .chain([Value::from(long())])
    {
        if kept(&name) && name != "" {
            continue;
        }
        for event in [
            json!({ "type": name, "data": {} }),
            json!({ "event_type": name, "data": {} }),
        ] {
            let (status, answer) = post(address, &event).await;
            assert_eq!(
                (status, &answer["error"]["code"]),
                (400, &json!("invalid_type")),
                "{name}"
            );
        }
        // A dialect that takes free text makes a name of it: none that is refused above, and it is no event's name either.
        let (status, answer) = post(address, &json!({ "event": name, "x": 1 })).await;
        if status == 202 {
            let update = watcher.event("generic_update").await;
            assert!(kept(&update["source_type"]), "{update}");
        } else {
            assert_eq!(status, 400, "{answer}");
        }
    }
    let names = names(watcher.so_far().await);
    // The last three are told once a second.
    let known = [
        "generic_update",
        "system_notification",
        "system_metrics",
        "active_flows_update",
        "dashboard_update",
    ];
    assert!(
        names.iter().all(|name| known.contains(&name.as_str())),
        "{names:?}"
    );
    server.shutdown().await;
}

/// Row 22. Rooms: only what a room's name may be, and nobody else's own room.
#[tokio::test(flavor = "multi_thread")]
async fn rooms_with_such_names_are_refused() {
    let server = server().await;
    let address = server.address();
    let (_alice, hello) = Client::connect(address, json!({})).await;
    let alices = hello["client_id"].as_str().unwrap().to_owned();
    let (mut attacker, _) = Client::connect(address, json!({ "role": "operator" })).await;
    let long = long();
    let mut rooms: Vec<String> = Vec::new();
    for name in RESERVED.iter().chain(&ODD).copied().chain([long.as_str()]) {
        rooms.push(name.to_owned());
        rooms.push(format!("{name}:x"));
        if !name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
            || name.is_empty()
            || name.len() > 128
        {
            rooms.push(format!("project:{name}"));
        }
    }
    // A free room may have a plain name; it tells nobody anything, and nothing is sent there but by that name.
    let is_free = |name: &String| {
        let plain = |b: u8| b.is_ascii_alphanumeric() || b"_.:@/ -".contains(&b);
        let kind = name.split(':').next().unwrap_or_default();
        let is_thing = name.contains(':') && ["project", "user", "task"].contains(&kind);
        (1..=128).contains(&name.len()) && name.bytes().all(plain) && !is_thing
    };
    rooms.retain(|name| !is_free(name));
    rooms.extend([
        alices.clone(),
        format!("user:{alices}"),
        format!("user:{alices}\u{0}"),
        "project:*".into(),
        "project:../x".into(),
    ]);
    for room in &rooms {
        for event in ["join_room", "subscribe"] {
            let answer = attacker.call(event, json!({ "room": room })).await;
            let code = answer["error"]["code"].as_str().unwrap_or_default();
            assert!(
                ["bad_request", "unknown_room_type", "forbidden_room"].contains(&code),
                "{event} {room:?}: {answer}"
            );
        }
        let refused = Client::open(address, "/", json!({ "rooms": [room] }))
            .await
            .err();
        assert!(refused.is_some(), "{room:?} from the start");
    }
    for flow in ["", "a\u{0}b", "\u{1b}[2J", long.as_str()] {
        let answer = attacker
            .call("subscribe_flow", json!({ "flow_id": flow }))
            .await;
        assert_eq!(answer["error"]["code"], "bad_request", "{flow:?}");
    }
    // Leaving what one never was in is harmless, whatever it is called.
    for room in &rooms {
        attacker.call("leave_room", json!({ "room": room })).await;
    }
    let known = attacker.call("get_rooms", json!(null)).await.to_string();
    assert!(
        !known.contains("__proto__") && !known.contains("\\u0000"),
        "{known}"
    );
    // A refusal quotes the name shortened, and a log or a terminal gets it escaped.
    let answer = attacker
        .call("join_room", json!({ "room": format!("\u{1b}[2J{long}") }))
        .await;
    let message = answer["error"]["message"].as_str().unwrap();
    assert!(
        message.len() < 500 && !message.contains('\u{1b}'),
        "{message}"
    );
    assert_served(address).await;
    server.shutdown().await;
}

/// Row 22. A rule can't send what a client would take for the end of its connection: the start is refused.
#[test]
fn rules_that_emit_reserved_names_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("config.toml");
    let long = long();
    for name in RESERVED
        .iter()
        .copied()
        .chain(["", "a\\u0000b", "\\u001B[2J", long.as_str()])
    {
        std::fs::write(
            &file,
            format!("[[transform.rules]]\nmatch = \"a.*\"\nemit = \"{name}\"\n"),
        )
        .unwrap();
        let output = kit::process::stoa()
            .args(["check", "--config", &file.to_string_lossy()])
            .output()
            .unwrap();
        assert_eq!(output.status.code(), Some(1), "{name:?}");
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(said.contains("emit") && said.lines().count() == 1, "{said}");
        assert!(
            !said.contains('\u{1b}') && !said.contains('\u{0}'),
            "{said}"
        );
    }
}
