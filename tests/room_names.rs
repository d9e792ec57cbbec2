//! Rooms of things whose ids hold what they like: one room however its name is spelt, at every door that takes a name.

use kit::{
    Client, PATIENCE, get,
    guarded::{grant, guarded, publish, token},
    post, server, server_with,
};
use serde_json::{Value, json};
use stoa::{
    access::authn::Grant,
    config::{Role, RuleConfig},
};

/// An event about a task.
fn progress(task: &str) -> Value {
    json!({ "type": "task.progress", "data": { "task_id": task, "progress": 5 } })
}

/// A client that gets nothing but what is sent to rooms that it joins.
async fn narrow(address: std::net::SocketAddr, auth: Value) -> Client {
    let (mut client, _) = Client::connect(address, auth).await;
    let left = client
        .call("leave_room", json!({ "room": "observers" }))
        .await;
    assert_eq!(left["status"], "ok");
    client.so_far().await;
    client
}

#[tokio::test(flavor = "multi_thread")]
async fn every_id_has_one_room_however_its_name_is_spelt() {
    let server = server().await;
    let address = server.address();
    let long = "é".repeat(128);
    let long_name = format!("task:{}", "%C3%A9".repeat(128));
    for (id, spellings, name) in [
        ("t1", vec!["task:t1", "task:%741", "task:%74%31"], "task:t1"),
        (
            "Write docs",
            vec!["task:Write%20docs", "task:%57rite%20docs"],
            "task:Write%20docs",
        ),
        (
            "a|b@c",
            vec!["task:a%7Cb%40c", "task:a%7cb%40c"],
            "task:a%7Cb%40c",
        ),
        (
            "org/repo#1",
            vec!["task:org%2Frepo%231"],
            "task:org%2Frepo%231",
        ),
        (
            "café",
            vec!["task:caf%C3%A9", "task:caf%c3%a9"],
            "task:caf%C3%A9",
        ),
        ("50%", vec!["task:50%", "task:50%25"], "task:50%25"),
        ("5%20x", vec!["task:5%2520x"], "task:5%2520x"),
        (&long, vec![&long_name], &long_name),
    ] {
        for spelt in spellings {
            let mut client = narrow(address, json!({})).await;
            let joined = client.call("join_room", json!({ "room": spelt })).await;
            assert_eq!(joined["room"], name, "{spelt}: {joined}");
            assert_eq!(client.event("room_joined").await["room"], name);
            // By another door it is the same one.
            let again = client.call("subscribe", json!({ "rooms": [name] })).await;
            assert_eq!(again["rooms"], json!([name]));
            let (_, rooms) = get(address, "/api/v1/ws/rooms").await;
            let named = |rooms: &Value| {
                rooms["active_rooms"]
                    .as_array()
                    .unwrap()
                    .contains(&json!(name))
            };
            assert!(named(&rooms), "{rooms}");
            post(address, &progress("another")).await;
            post(address, &progress(id)).await;
            let update = client.event("progress_update").await;
            assert_eq!(update["task_id"], *id, "{spelt}");
            let left = client.call("leave_room", json!({ "room": spelt })).await;
            assert_eq!((&left["room"], &left["members"]), (&json!(name), &json!(0)));
            let (_, rooms) = get(address, "/api/v1/ws/rooms").await;
            assert!(!named(&rooms), "{rooms}");
        }
    }
    server.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_slash_divides_project_and_id_and_an_escaped_one_does_not() {
    let server = server().await;
    let address = server.address();
    let of_two = |project: Value, agent: &str| {
        json!({ "type": "agent.status.changed", "project_id": project,
        "data": { "agent_id": agent, "new_status": "working", "of": project } })
    };
    let mut qualified = narrow(
        address,
        json!({ "rooms": ["agent:My%20shop/the%20writer"] }),
    )
    .await;
    let mut bare = narrow(
        address,
        json!({ "rooms": ["agent:My%20shop%2Fthe%20writer"] }),
    )
    .await;
    for event in [
        of_two(json!("other"), "the writer"),
        of_two(json!("My shop"), "the writer"),
        of_two(json!("other"), "My shop/the writer"),
    ] {
        post(address, &event).await;
    }
    let update = qualified.event("agent_update").await;
    assert_eq!(update["data"]["of"], "My shop");
    let update = bare.event("agent_update").await;
    assert_eq!(update["data"]["agent_id"], "My shop/the writer");
    let rest = qualified.so_far().await;
    assert!(
        rest.iter().all(|(name, _)| name != "agent_update"),
        "{rest:?}"
    );
    server.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_name_is_refused_with_a_sentence_that_says_how_it_is_written() {
    let server = server().await;
    let (mut client, _) = Client::connect(server.address(), json!({})).await;
    for room in [
        "task:Write docs".to_owned(),
        "task:café".into(),
        "task:%0A".into(),
        "task:%FF".into(),
        "project:a/b".into(),
        format!("task:{}", "x".repeat(129)),
        format!("task:{}", "%20".repeat(129)),
        format!("task:{}", "%F0%9F%98%80".repeat(65)),
    ] {
        let answer = client.call("join_room", json!({ "room": room })).await;
        assert_eq!(answer["error"]["code"], "bad_request", "{room}");
        let told = answer["error"]["message"].as_str().unwrap();
        assert!(told.contains("task:Write%20docs"), "{told}");
    }
    server.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn in_a_query_a_name_may_be_encoded_once_or_twice() {
    let server = server().await;
    let address = server.address();
    for rooms in [
        "task:Write%20docs,task:x",
        "task%3AWrite%2520docs%2Ctask%3Ax",
        "task:Write+docs,task:x",
    ] {
        let url = format!("http://{address}/api/v1/stream?rooms={rooms}");
        let mut stream = kit::http_client().get(url).send().await.expect("answers");
        let mut text = String::new();
        while !text.contains("\"rooms\"") {
            let chunk = stream.chunk().await.unwrap().expect("goes on");
            text.push_str(std::str::from_utf8(&chunk).unwrap());
        }
        assert!(text.contains(r#""task:Write%20docs""#), "{rooms}: {text}");
        post(address, &progress("Write docs")).await;
        while !text.contains("event: progress_update") {
            let chunk = stream.chunk().await.unwrap().expect("goes on");
            text.push_str(std::str::from_utf8(&chunk).unwrap());
        }
        // A client of version 2 has no payload; its keys stand in the query of the connection.
        let list = rooms.replace("%2C", ",");
        let (mut socket, _) = tokio_tungstenite::connect_async(format!(
            "ws://{address}/socket.io/?EIO=4&transport=websocket&rooms={list}"
        ))
        .await
        .expect("opens");
        use futures_util::{SinkExt, StreamExt};
        socket
            .send(tokio_tungstenite::tungstenite::Message::text("40"))
            .await
            .expect("sends");
        let hello = loop {
            let next = tokio::time::timeout(PATIENCE, socket.next()).await;
            let text = next.expect("comes").expect("goes on").expect("a message");
            let text = text.into_text().expect("text").to_string();
            if text.contains("connection_established") {
                break text;
            }
        };
        assert!(hello.contains(r#""task:Write%20docs""#), "{hello}");
    }
    server.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn tokens_name_rooms_in_every_spelling() {
    let server = guarded(|_| {}).await;
    let address = server.address();
    let watcher = |rooms: &[&str]| {
        token(&Grant {
            rooms: Some(rooms.iter().map(ToString::to_string).collect()),
            ..grant(Role::Observer)
        })
    };
    for pattern in [
        "execution:nightly%20build",
        "execution:nightly build",
        "execution:%6eightly?build",
        "execution:nightly*",
    ] {
        let auth = json!({ "token": watcher(&[pattern]), "rooms": ["execution:nightly%20build"] });
        let mut client = Client::open(address, "/", auth).await.expect(pattern);
        let event =
            json!({ "type": "workflow.run.started", "data": { "execution_id": "nightly build" } });
        publish(address, &event).await;
        let update = client.event("execution_update").await;
        assert_eq!(update["data"]["execution_id"], "nightly build", "{pattern}");
    }
    for pattern in [
        "execution:nightly%2Abuild",
        "execution:p/*",
        "execution:nightly",
    ] {
        let auth = json!({ "token": watcher(&[pattern]), "rooms": ["execution:nightly%20build"] });
        let refused = Client::open(address, "/", auth).await.expect_err(pattern);
        assert!(refused.starts_with("forbidden_room"), "{refused}");
    }
    // The things of a project are not those whose ids begin like it.
    let of_p = watcher(&["execution:p/*"]);
    let auth = json!({ "token": of_p, "rooms": ["execution:p%2Fsecret"] });
    let refused = Client::open(address, "/", auth).await.err().unwrap();
    assert!(refused.starts_with("forbidden_room"), "{refused}");
    let mut client = Client::open(address, "/", json!({ "token": of_p }))
        .await
        .expect("connects");
    let started = |project: &str, id: &str| json!({ "type": "workflow.run.started", "project_id": project, "data": { "execution_id": id } });
    publish(address, &started("q", "p/secret")).await;
    publish(address, &started("p", "open")).await;
    let update = client.event("execution_update").await;
    assert_eq!(update["data"]["execution_id"], "open");
    server.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn rules_write_ids_as_names_have_them() {
    let server = server_with(|config| {
        config.transform.rules = vec![RuleConfig {
            matches: "deploy.*".into(),
            emit: "deploy".into(),
            rooms: Some(vec![
                "task:{data.what}".into(),
                "run:the%20last".into(),
                "{data.where}".into(),
            ]),
            ..RuleConfig::default()
        }];
    })
    .await;
    let address = server.address();
    let event =
        json!({ "type": "deploy.done", "data": { "what": "p/Write docs", "where": "job:%6E 1" } });
    for room in ["task:p%2FWrite%20docs", "run:the%20last"] {
        let mut client = narrow(address, json!({ "rooms": [room] })).await;
        post(address, &event).await;
        client.event("deploy").await;
    }
    let mut qualified = narrow(address, json!({ "rooms": ["task:p/Write%20docs"] })).await;
    post(address, &event).await;
    let got = qualified.so_far().await;
    assert!(got.iter().all(|(name, _)| name != "deploy"), "{got:?}");
    server.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn actions_reach_agents_whose_ids_hold_anything() {
    let server = server().await;
    let address = server.address();
    let (mut operator, _) = Client::connect(address, json!({ "role": "operator" })).await;
    for agent in ["Senior Writer", "org/writer", "x:actions", "50%"] {
        let escaped: String = agent.bytes().map(|byte| format!("%{byte:02x}")).collect();
        let (mut producer, _) = Client::connect(address, json!({ "role": "producer" })).await;
        let room = format!("agent:{escaped}:actions");
        let joined = producer.call("join_room", json!({ "room": room })).await;
        assert_eq!(joined["status"], "ok", "{joined}");
        let act = json!({ "agent_id": agent, "action": "pause" });
        let answer = operator.call("agent_action", act).await;
        assert_eq!(answer["status"], "ok", "{agent}: {answer}");
        assert_eq!(producer.event("agent_action").await["agent_id"], agent);
    }
    // The room of an agent with such an id is no room of another one's actions, however it is written.
    let (mut observer, _) = Client::connect(address, json!({})).await;
    for (room, name) in [
        ("agent:x%3Aactions", "agent:x%3Aactions"),
        ("agent:x%3aaction%73", "agent:x%3Aactions"),
    ] {
        let joined = observer.call("join_room", json!({ "room": room })).await;
        assert_eq!(joined["room"], name, "{joined}");
    }
    for room in ["agent:x:actions", "agent:%78:actions", "agent:p/x:actions"] {
        let refused = observer.call("join_room", json!({ "room": room })).await;
        assert_eq!(refused["error"]["code"], "forbidden_room", "{refused}");
    }
    let act = json!({ "agent_id": "x", "action": "pause" });
    let answer = operator.call("agent_action", act).await;
    assert_eq!(answer["error"]["code"], "unavailable", "{answer}");
    server.shutdown().await;
}
