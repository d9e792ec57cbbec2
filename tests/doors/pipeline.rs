//! `/ws/{app}/`, the update pipeline's socket: each message field by field.

use std::time::{SystemTime, UNIX_EPOCH};

use kit::{
    door::DoorClient,
    guarded::{grant, guarded, observer, publish, token},
    post, refused, server,
};
use serde_json::{Value, json};
use stoa::{access::authn::Grant, config::Role};

const PATH: &str = "/ws/dating_show/";

/// Connects, and takes the greeting.
async fn connect(address: std::net::SocketAddr, path: &str) -> DoorClient {
    let mut client = DoorClient::open(address, path).await.unwrap();
    client.until("connection_established").await;
    client
}

/// Checks that a message's time is seconds since 1970, and about now.
fn is_now(message: &Value) {
    let time = message["timestamp"].as_f64().expect("a number");
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    assert!((time - now.as_secs_f64()).abs() < 60.0, "{message}");
}

fn status_changed(agent: &str, status: &str) -> Value {
    json!({ "type": "agent_update", "agent_id": agent, "update_type": "state_change",
        "data": { "status": status, "location": "pool", "mood": { "joy": 0.5 } } })
}

#[tokio::test]
async fn every_message_has_the_pipelines_fields() {
    let server = server().await;
    let address = server.address();
    let mut client = DoorClient::open(address, PATH).await.unwrap();
    let hello = client.next().await.unwrap();
    assert_eq!(hello["type"], "connection_established");
    assert!(
        hello["connection_id"].is_string() && hello["cursor"].is_string(),
        "{hello}"
    );
    is_now(&hello);

    // Nobody has to subscribe: the pipeline's own clients never do.
    post(address, &status_changed("agent_001", "active")).await;
    let update = client.next().await.unwrap();
    assert_eq!(update["type"], "agent_update");
    assert_eq!(update["agent_id"], "agent_001");
    assert_eq!(update["update_type"], "state_change");
    assert_eq!(update["data"]["status"], "active");
    assert_eq!(update["data"]["location"], "pool");
    assert_eq!(update["data"]["mood"], json!({ "joy": 0.5 }));
    assert_eq!(update["source_type"], "agent_update");
    assert!(
        update["id"].is_string() && update["cursor"].is_string(),
        "{update}"
    );
    is_now(&update);

    post(address, &json!({ "type": "system.notice", "data": { "level": "info", "message": "Rose ceremony starting" } })).await;
    let notice = client.next().await.unwrap();
    assert_eq!(notice["type"], "system_notification");
    assert_eq!(notice["level"], "info");
    assert_eq!(notice["message"], "Rose ceremony starting");
    is_now(&notice);

    // An update that the pipeline has no words for has its own type.
    post(
        address,
        &json!({ "type": "ingest.job.updated", "data": { "job_id": "j1", "progress": 10 } }),
    )
    .await;
    let update = client.next().await.unwrap();
    assert_eq!(update["type"], "ingest_update");
    is_now(&update);

    client
        .send(&json!({ "type": "ping", "timestamp": 1_623_456_789_123_u64 }))
        .await;
    let pong = client.next().await.unwrap();
    assert_eq!(pong["type"], "pong");
    assert_eq!(pong["echo"], 1_623_456_789_123_u64);
    is_now(&pong);

    client
        .send(&json!({ "type": "subscribe", "channels": ["dating_show_updates", "agent_notifications", "cats"] }))
        .await;
    let said = client.next().await.unwrap();
    assert_eq!(said["type"], "subscribed");
    assert_eq!(
        said["channels"],
        json!(["dating_show_updates", "agent_notifications"])
    );
    assert_eq!(said["unknown"], json!(["cats"]));
    is_now(&said);

    for (sent, code) in [
        ("no json", "bad_request"),
        ("{\"type\":\"dance\"}", "unknown_event"),
        ("7", "unknown_event"),
        ("{\"type\":\"subscribe\"}", "bad_request"),
        ("{\"type\":\"subscribe\",\"channels\":[7]}", "bad_request"),
        (
            "{\"type\":\"subscribe\",\"channels\":[\"planet:*\"]}",
            "unknown_room_type",
        ),
        (
            "{\"type\":\"publish\",\"event\":{\"type\":\"a.b\"}}",
            "forbidden",
        ),
        ("{\"type\":\"resume\"}", "bad_request"),
        ("{\"type\":\"agent_action\"}", "bad_request"),
    ] {
        client.send_text(sent).await;
        let error = client.next().await.unwrap();
        assert_eq!(
            (&error["type"], &error["code"]),
            (&json!("error"), &json!(code)),
            "{sent}"
        );
        assert!(error["message"].is_string(), "{error}");
        is_now(&error);
    }
    assert_eq!(refused(address, "pipeline", "unknown_event").await, 2);
}

/// The types of the updates that come for some events, up to the answer to a ping.
async fn types_of(
    client: &mut DoorClient,
    address: std::net::SocketAddr,
    events: &[Value],
) -> Vec<String> {
    for event in events {
        post(address, event).await;
    }
    // The last event goes to everybody that is in this room.
    client
        .send(&json!({ "type": "subscribe", "channels": ["agent:the-last"] }))
        .await;
    let last = json!({ "type": "custom.last", "data": { "agent_id": "the-last" } });
    let mut types = Vec::new();
    loop {
        let update = client.next().await.unwrap();
        if update["type"] == "subscribed" {
            post(address, &last).await;
            continue;
        }
        let kind = update["source_type"].as_str().unwrap_or_default();
        if kind == "custom.last" {
            return types;
        }
        types.push(kind.to_owned());
    }
}

#[tokio::test]
async fn channels_are_kinds_of_updates_and_rooms_and_a_client_gets_what_is_in_any() {
    let server = server().await;
    let address = server.address();
    let events = [
        json!({ "type": "agent.registered", "data": { "agent_id": "a1" } }),
        json!({ "type": "task.created", "data": { "task_id": "t1" } }),
        json!({ "type": "task.created", "project_id": "p1", "data": { "task_id": "t2" } }),
        json!({ "type": "decision.made", "project_id": "p2", "data": { "decision": "x" } }),
    ];
    for (path, channels, expected) in [
        (
            PATH,
            json!(["agent_notifications"]),
            vec!["agent.registered"],
        ),
        (PATH, json!(["project:p1"]), vec!["task.created"]),
        (
            PATH,
            json!(["agent_updates", "project:p1"]),
            vec!["agent.registered", "task.created"],
        ),
        (
            PATH,
            json!(["decision_events", "task_events"]),
            vec!["task.created", "task.created", "decision.made"],
        ),
        (
            "/ws/other",
            json!(["other_updates"]),
            vec![
                "agent.registered",
                "task.created",
                "task.created",
                "decision.made",
            ],
        ),
    ] {
        let mut client = connect(address, path).await;
        client
            .send(&json!({ "type": "subscribe", "channels": channels }))
            .await;
        assert_eq!(client.next().await.unwrap()["channels"], channels);
        assert_eq!(
            types_of(&mut client, address, &events).await,
            expected,
            "{channels}"
        );
    }
}

#[tokio::test]
async fn a_channel_is_left_again() {
    let server = server().await;
    let address = server.address();
    let mut client = connect(address, PATH).await;
    for (kind, channels) in [
        ("subscribe", json!(["agent_updates", "project:p1"])),
        ("unsubscribe", json!("agent_updates")),
    ] {
        client
            .send(&json!({ "type": kind, "channels": channels }))
            .await;
        client.until(&format!("{kind}d")).await;
    }
    let events = [
        json!({ "type": "agent.registered", "data": { "agent_id": "a1" } }),
        json!({ "type": "task.created", "project_id": "p1", "data": { "task_id": "t2" } }),
    ];
    assert_eq!(
        types_of(&mut client, address, &events).await,
        ["task.created"]
    );
}

#[tokio::test]
async fn updates_come_in_a_batch_to_those_who_ask() {
    let server = server().await;
    let address = server.address();
    let mut client = connect(address, "/ws/dating_show/?batch=true").await;
    let events: Vec<Value> = (0..3)
        .map(|n| json!({ "type": "agent.registered", "data": { "agent_id": format!("a{n}") } }))
        .collect();
    post(address, &json!(events)).await;
    let mut got = 0;
    while got < 3 {
        let batch = client.next().await.unwrap();
        assert_eq!(batch["type"], "batch", "{batch}");
        is_now(&batch);
        for update in batch["updates"].as_array().unwrap() {
            assert_eq!(update["type"], "agent_update");
            is_now(update);
            got += 1;
        }
    }
}

/// Batches adapt: one update while all is quiet, many of a burst, and never more than 50.
#[tokio::test]
async fn a_batch_is_as_large_as_the_load() {
    let server = server().await;
    let address = server.address();
    let mut client = connect(address, "/ws/dating_show/?batch=true").await;
    let registered =
        |n: usize| json!({ "type": "agent.registered", "data": { "agent_id": format!("a{n}") } });
    let size = |batch: &Value| batch["updates"].as_array().map_or(0, Vec::len);
    for n in 0..3 {
        post(address, &registered(n)).await;
        assert_eq!(size(&client.next().await.unwrap()), 1);
    }
    let burst: Vec<Value> = (0..500).map(registered).collect();
    post(address, &json!(burst)).await;
    let mut sizes = Vec::new();
    while sizes.iter().sum::<usize>() < 500 {
        sizes.push(size(&client.next().await.unwrap()));
    }
    assert_eq!(sizes.iter().sum::<usize>(), 500);
    assert_eq!(sizes.iter().max(), Some(&50), "{sizes:?}");
}

#[tokio::test]
async fn a_client_resumes_at_once_or_after_it_chose_its_channels() {
    let server = server().await;
    let address = server.address();
    let mut client = DoorClient::open(address, PATH).await.unwrap();
    let cursor = client.until("connection_established").await["cursor"].clone();
    drop(client);
    post(address, &status_changed("a1", "active")).await;
    let mut client = connect(
        address,
        &format!("{PATH}?cursor={}", cursor.as_str().unwrap()),
    )
    .await;
    // The loop may not have read the event when the client comes: then it comes live, after `resumed`.
    let two = [client.next().await.unwrap(), client.next().await.unwrap()];
    let of = |kind: &str| two.iter().find(|message| message["type"] == kind).unwrap();
    assert_eq!(of("agent_update")["agent_id"], "a1");
    assert_eq!(of("resumed")["complete"], true);

    let mut client = connect(address, PATH).await;
    client
        .send(&json!({ "type": "subscribe", "channels": ["agent:a2"] }))
        .await;
    client.until("subscribed").await;
    client
        .send(&json!({ "type": "resume", "cursor": cursor }))
        .await;
    let resumed = client.next().await.unwrap();
    assert_eq!(
        (&resumed["type"], &resumed["replayed"]),
        (&json!("resumed"), &json!(0))
    );
}

#[tokio::test]
async fn a_producer_publishes_here_too() {
    let server = server().await;
    let address = server.address();
    let mut observer = connect(address, PATH).await;
    let mut producer = connect(address, "/ws/dating_show/?role=producer").await;
    producer.send(&status_changed("a1", "active")).await;
    let answer = producer.until("published").await;
    assert_eq!(
        (&answer["accepted"], &answer["rejected"]),
        (&json!(1), &json!([]))
    );
    is_now(&answer);
    assert_eq!(observer.next().await.unwrap()["agent_id"], "a1");
    producer
        .send(&json!({ "type": "publish", "events": [{ "type": "task.created", "data": { "task_id": "t1" } }, {}] }))
        .await;
    let answer = producer.until("published").await;
    assert_eq!(answer["accepted"], 1);
    assert_eq!(answer["rejected"][0]["error"]["code"], "missing_type");
    assert_eq!(observer.next().await.unwrap()["type"], "task_update");
    let admin = DoorClient::open(address, "/ws/dating_show/?role=admin").await;
    assert!(admin.is_err(), "nobody is admin without a proof");
}

#[tokio::test]
async fn a_client_sees_and_may_do_as_much_as_its_token_says() {
    let server = guarded(|_| {}).await;
    let address = server.address();
    assert_eq!(DoorClient::open(address, PATH).await.unwrap_err(), 401);
    let path = |token: &str| format!("{PATH}?token={token}");
    let mut client = connect(address, &path(&observer("ann", &["p1"]))).await;
    for project in ["p2", "p1"] {
        let event = json!({ "type": "agent.registered", "project_id": project, "data": { "agent_id": "a1" } });
        publish(address, &event).await;
    }
    let update = client.next().await.unwrap();
    assert_eq!(
        update["data"]["project_id"].as_str().unwrap_or("p1"),
        "p1",
        "{update}"
    );
    client
        .send(&json!({ "type": "subscribe", "channels": ["agent_updates", "project:p2"] }))
        .await;
    let error = client.next().await.unwrap();
    assert_eq!(
        (&error["code"], &error["room_id"]),
        (&json!("forbidden_room"), &json!("project:p2"))
    );
    let act = json!({ "type": "agent_action", "agent_id": "a1", "action": "move", "params": {} });
    client.send(&act).await;
    assert_eq!(client.next().await.unwrap()["code"], "forbidden");
    let of_p1 = Grant {
        projects: Some(vec!["p1".into()]),
        ..grant(Role::Operator)
    };
    let mut operator = connect(address, &path(&token(&of_p1))).await;
    operator.send(&act).await;
    let result = operator.next().await.unwrap();
    assert_eq!(
        (&result["type"], &result["status"]),
        (&json!("agent_action_result"), &json!("error"))
    );
}

#[tokio::test]
async fn a_name_that_is_no_apps_and_a_word_that_is_no_parameter_are_told() {
    let server = server().await;
    let address = server.address();
    for path in [
        "/ws/a%20b/",
        "/ws/dating_show/?curser=x",
        "/ws/dating_show/?role=king",
    ] {
        assert_eq!(
            DoorClient::open(address, path).await.unwrap_err(),
            400,
            "{path}"
        );
    }
    assert_eq!(refused(address, "pipeline", "bad_request").await, 3);
}
