//! Streams: nothing is lost while Stoa is away, and nothing comes twice.

use kit::{counted_in, get, redis::Redis, wait_for};
use serde_json::{Value, json};
use stoa::config::{BusKind, Config, JournalKind};

use crate::bus::{client, on_bus, packet, until_refused};

async fn add(redis: &Redis, event: &str, arg: Value) {
    let data = json!({
        "packet": { "type": 2, "data": Value::Array(vec![event.into(), arg]), "nsp": "/" },
        "opts": { "rooms": [], "flags": {}, "except": [] },
    });
    let data = data.to_string();
    redis
        .add(
            "socket.io",
            &[
                ("uid", "emitter"),
                ("nsp", "/"),
                ("type", "3"),
                ("data", &data),
            ],
        )
        .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn entries_come_out_as_they_were_emitted() {
    let Some(redis) = Redis::start().await else {
        return;
    };
    add(&redis, "e", json!("before anybody listened")).await;
    let server = on_bus(&redis, |config| config.bus.kinds = vec![BusKind::Streams]).await;
    let (mut watcher, _) = client(&server, &[]).await;
    add(&redis, "e", json!({ "a": [1] })).await;
    assert_eq!(
        packet(&mut watcher, "42[\"e\"").await,
        r#"42["e",{"a":[1]}]"#
    );
    redis.add("socket.io", &[("type", "1")]).await;
    redis
        .add("socket.io", &[("type", "3"), ("data", "!")])
        .await;
    until_refused(&server, "unsupported", 1).await;
    until_refused(&server, "malformed", 1).await;
    for n in 0..100 {
        add(&redis, "e", json!(n)).await;
    }
    for n in 0..100 {
        assert_eq!(
            packet(&mut watcher, "42[\"e\"").await,
            format!("42[\"e\",{n}]")
        );
    }
    server.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn entries_that_come_while_the_server_is_down_are_read_when_it_is_back_and_once() {
    let Some(redis) = Redis::start().await else {
        return;
    };
    let folder = std::env::temp_dir().join(format!("stoa-bus-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let settings = |config: &mut Config| {
        config.journal.kind = JournalKind::Sqlite;
        config.journal.path = folder.join("stoa.db");
        config.bus.kinds = vec![BusKind::Streams];
        config.bus.events = vec!["task_*".into()];
    };
    let positions = folder.join("stoa.db.bus");
    let mut after_first = Vec::new();
    for round in 0..3 {
        let task = |n: usize| json!({ "task_id": format!("t{n}"), "agent_id": "a" });
        // The second and third rounds find one that came meanwhile.
        add(&redis, "task_assigned", task(2 * round)).await;
        if round == 2 {
            // As after a crash before the place was saved: entries are read again, and known by their ids.
            std::fs::write(&positions, &after_first).unwrap();
        }
        let server = on_bus(&redis, settings).await;
        add(&redis, "task_assigned", task(2 * round + 1)).await;
        let expected: Vec<Value> = (1..=2 * round + 1)
            .map(|n| json!(format!("t{n}")))
            .collect();
        wait_for("the events", async || {
            let (_, history) = get(server.address(), "/api/v1/events").await;
            let events = history["events"].as_array().unwrap();
            let tasks: Vec<Value> = events
                .iter()
                .map(|e| e["data"]["task_id"].clone())
                .collect();
            assert!(tasks.len() <= expected.len(), "{tasks:?}");
            tasks == expected
        })
        .await;
        if round == 2 {
            assert!(counted_in(&server, "stoa_events_duplicate_total") > 0);
        }
        server.shutdown().await;
        if round == 0 {
            after_first = std::fs::read(&positions).unwrap();
        }
    }
    std::fs::remove_dir_all(&folder).unwrap();
}
