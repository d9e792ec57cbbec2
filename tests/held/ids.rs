//! Ids: each thing is kept by its own, in the state, in rooms, in what waits, so none is long.

use serde_json::{Value, json};

use crate::held::publish;
use kit::{Client, counted_in, get, post, post_raw, server_with, until_folded};

/// An event of each dialect, with an id of this length somewhere, and the usual key of that id.
fn events(length: usize) -> Vec<(&'static str, Value)> {
    let id = "x".repeat(length);
    vec![
        (
            "task_id",
            json!({ "type": "task.created", "data": { "task_id": id } }),
        ),
        (
            "task_id",
            json!({ "type": "task.created", "data": {}, "taskId": id }),
        ),
        (
            "project_id",
            json!({ "type": "note.x", "project_id": id, "data": {} }),
        ),
        (
            "project_id",
            json!({ "type": "note.x", "data": { "metadata": { "projectId": id } } }),
        ),
        (
            "agent_id",
            json!({ "type": "worker_registration", "worker_id": id }),
        ),
        (
            "agent_id",
            json!({ "event": "worker_communication", "worker_id": id, "logger": "l" }),
        ),
        (
            "run_id",
            json!({ "type": "agent.run.started", "run": { "id": id } }),
        ),
        (
            "execution_id",
            json!({ "type": "workflow.run.started", "data": { "execution_id": id } }),
        ),
        (
            "workflow_id",
            json!({ "type": "workflow.run.started", "data": { "workflowId": id } }),
        ),
        (
            "job_id",
            json!({ "type": "ingest.job.started", "job": { "id": id } }),
        ),
        (
            "node_id",
            json!({ "type": "workflow.node.started", "nodeState": { "nodeId": id } }),
        ),
        (
            "message_id",
            json!({ "type": "agent.message.appended", "message": { "id": id } }),
        ),
        (
            "user_id",
            json!({ "type": "note.x", "data": { "user_id": id } }),
        ),
        (
            "owner_id",
            json!({ "type": "note.x", "data": { "owner_id": id } }),
        ),
        (
            "board_id",
            json!({ "type": "project.updated", "data": { "project_state": { "board_id": id } } }),
        ),
        (
            "target_id",
            json!({ "update_type": "node_update", "target_id": id, "changes": {} }),
        ),
        (
            "agent_id",
            json!({ "type": "agent_update", "agent_id": id, "update_type": "status", "data": {} }),
        ),
    ]
}

#[tokio::test]
async fn an_id_has_only_so_many_bytes_in_every_dialect_and_by_every_door() {
    let server = server_with(|config| {
        // Nobody can switch it off: it bounds what is held.
        config.content_filtering.validate_message_format = false;
    })
    .await;
    let address = server.address();
    for (_, event) in events(512) {
        let (status, answer) = post(address, &event).await;
        assert_eq!(status, 202, "{answer} {event}");
    }
    let long = events(513);
    for (key, event) in &long {
        let (status, answer) = post(address, event).await;
        let error = &answer["error"];
        assert_eq!(
            (status, &error["code"]),
            (400, &json!("too_large")),
            "{answer}"
        );
        let message = error["message"].as_str().unwrap();
        assert!(message.contains(key), "{key}: {message}");
        for part in ["513 bytes", "512", "max_id_length", "shorter"] {
            assert!(message.contains(part), "{message}");
        }
    }
    let count = long.len() as u64;
    assert_eq!(counted_in(&server, "stoa_ids_too_long_total"), count);
    let rejected = |door: &str| {
        let line = format!("stoa_events_rejected_total{{door=\"{door}\",code=\"too_large\"}}");
        counted_in(&server, &line)
    };
    assert_eq!(rejected("http"), count);
    // By the other doors, with a good one among them.
    let good = json!({ "type": "note.x", "data": {} });
    let all: Vec<Value> = long
        .into_iter()
        .map(|(_, event)| event)
        .chain([good])
        .collect();
    let (mut producer, _) = Client::connect(address, json!({ "role": "producer" })).await;
    let answer = producer.call("publish", json!(all)).await;
    assert_eq!(answer["accepted"], 1, "{answer}");
    assert_eq!(rejected("socketio"), count);
    let lines: String = all.iter().map(|event| format!("{event}\n")).collect();
    let (status, answer) = post_raw(address, "application/x-ndjson", lines).await;
    assert_eq!((status, &answer["accepted"]), (202, &json!(1)), "{answer}");
    assert_eq!(answer["rejected"].as_array().unwrap().len() as u64, count);
    assert_eq!(counted_in(&server, "stoa_ids_too_long_total"), 3 * count);
    server.shutdown().await;
}

#[tokio::test]
async fn the_keys_of_things_count_as_bytes_of_the_state() {
    const STATE: usize = 1 << 20;
    const ID: usize = 4_000;
    let server = server_with(|config| {
        config.content_filtering.max_id_length.set(4_096).unwrap();
        config
            .performance
            .max_state_bytes
            .set(STATE as u64)
            .unwrap();
        // Enough for two.
        config.performance.max_entity_facts.set(16).unwrap();
    })
    .await;
    let address = server.address();
    let task = |n: usize| {
        let id = format!("{n:0ID$}");
        json!({ "type": "task.created", "project_id": "loud", "data": { "task_id": id } })
    };
    let cursor = publish(address, (0..500).map(task), 10).await;
    until_folded(address, &cursor).await;
    let (_, state) = get(address, "/api/v1/state").await;
    let tasks = state["tasks"].as_object().unwrap().len();
    // The id stands in the key and in the facts.
    assert!(tasks > 50 && tasks * 2 * ID <= STATE, "{tasks}");
    let held = counted_in(&server, "stoa_state_bytes");
    assert!((tasks * 2 * ID..=STATE).contains(&usize::try_from(held).unwrap()));
    let evicted = counted_in(
        &server,
        "stoa_state_evicted_total{kind=\"tasks\",reason=\"bytes\"}",
    );
    assert_eq!(evicted, 500 - tasks as u64);
    // So do the names of projects, of which each has one thing.
    let event = |n: usize| {
        let project = format!("{n:0ID$}");
        json!({ "type": "task.created", "project_id": project, "data": { "task_id": "t" } })
    };
    let cursor = publish(address, (0..500).map(event), 10).await;
    until_folded(address, &cursor).await;
    let (_, state) = get(address, "/api/v1/state").await;
    let tasks = state["tasks"].as_object().unwrap().len();
    assert!(tasks > 20 && tasks * 2 * ID <= STATE, "{tasks}");
    assert!(counted_in(&server, "stoa_state_bytes") <= STATE as u64);
    server.shutdown().await;
}
