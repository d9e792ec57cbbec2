//! The state, with bounds that a test can reach.

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};

use crate::held::publish;
use kit::{counted_in, get, server_with, until_folded};

/// The tasks of the state, by project.
async fn tasks(address: std::net::SocketAddr, project: &str) -> BTreeSet<String> {
    let (_, state) = get(address, &format!("/api/v1/state?project_id={project}")).await;
    let tasks = state["tasks"].as_object().unwrap();
    tasks
        .values()
        .map(|task| task["task_id"].as_str().unwrap().to_owned())
        .collect()
}

fn task(project: &str, n: usize, facts: usize, length: usize) -> Value {
    let text = "x".repeat(length);
    let mut data: Map<String, Value> = (0..facts).map(|k| (format!("k{k}"), json!(text))).collect();
    data.insert("task_id".into(), json!(format!("t{n}")));
    json!({ "type": "task.updated", "project_id": project, "data": data })
}

#[tokio::test]
async fn the_states_bytes_are_bounded_and_the_project_that_holds_most_forgets() {
    const STATE: u64 = 1 << 20;
    let server = server_with(|config| {
        config.performance.max_state_bytes.set(STATE).unwrap();
    })
    .await;
    let address = server.address();
    let quiet = (0..20).map(|n| task("quiet", n, 2, 1_000));
    let mut cursor = publish(address, quiet, 100).await;
    until_folded(address, &cursor).await;
    let all = tasks(address, "quiet").await;
    assert_eq!(all.len(), 20);
    let evicted = || {
        let line = |kind: &str, reason: &str| {
            format!("stoa_state_evicted_total{{kind=\"{kind}\",reason=\"{reason}\"}}")
        };
        (
            counted_in(&server, &line("tasks", "bytes")),
            counted_in(&server, &line("tasks", "count")),
        )
    };
    assert_eq!(evicted(), (0, 0));
    for batch in 0..20 {
        let loud = (batch * 20..batch * 20 + 20).map(|n| task("loud", n, 7, 4_000));
        cursor = publish(address, loud, 20).await;
        until_folded(address, &cursor).await;
        let held = counted_in(&server, "stoa_state_bytes");
        assert!(held <= STATE, "{held}");
    }
    let loud = tasks(address, "loud").await;
    assert!(loud.contains("t399") && !loud.contains("t0"), "{loud:?}");
    assert!((20..40).contains(&loud.len()), "{}", loud.len());
    assert_eq!(evicted(), (400 - loud.len() as u64, 0));
    assert_eq!(tasks(address, "quiet").await, all);
    server.shutdown().await;
}

#[tokio::test]
async fn the_number_of_things_is_bounded_and_the_project_that_has_most_forgets() {
    let server = server_with(|config| config.performance.max_entities.set(64).unwrap()).await;
    let address = server.address();
    let quiet = (0..10).map(|n| task("quiet", n, 0, 0));
    publish(address, quiet, 100).await;
    let loud = (0..1_000).map(|n| task("loud", n, 0, 0));
    let cursor = publish(address, loud, 100).await;
    until_folded(address, &cursor).await;
    let (quiet, loud) = (tasks(address, "quiet").await, tasks(address, "loud").await);
    assert_eq!(quiet.len(), 10);
    assert!((46..=54).contains(&loud.len()), "{}", loud.len());
    assert!(loud.contains("t999"), "{loud:?}");
    let evicted = counted_in(
        &server,
        "stoa_state_evicted_total{kind=\"tasks\",reason=\"count\"}",
    );
    assert_eq!(evicted, 1_000 - loud.len() as u64);
    server.shutdown().await;
}

#[tokio::test]
async fn the_facts_of_one_thing_are_bounded_in_number_length_and_bytes() {
    let server = server_with(|config| config.performance.max_entity_facts.set(16).unwrap()).await;
    let address = server.address();
    let dropped = |reason: &str| {
        counted_in(
            &server,
            &format!("stoa_state_facts_dropped_total{{reason=\"{reason}\"}}"),
        )
    };
    let mut cursor = publish(address, [task("many", 0, 100, 10)], 1).await;
    until_folded(address, &cursor).await;
    let facts = async || {
        let (_, state) = get(address, "/api/v1/state").await;
        state["tasks"]["t0"].as_object().unwrap().len()
    };
    let many = facts().await;
    assert!((16..=20).contains(&many), "{many}");
    let gone = dropped("many");
    assert!((80..=90).contains(&gone), "{gone}");
    assert_eq!((dropped("long"), dropped("full")), (0, 0));
    // Ever new keys in ever new events, and the status is still told.
    let keys = (0..200).map(|n| {
        json!({ "type": "task.updated", "project_id": "many", "data": { "task_id": "t0", (format!("n{n}")): n, "status": "done" } })
    });
    cursor = publish(address, keys, 100).await;
    until_folded(address, &cursor).await;
    assert_eq!(facts().await, many);
    // Too long, and too much for one.
    cursor = publish(address, [task("long", 1, 1, 8_200)], 1).await;
    until_folded(address, &cursor).await;
    assert_eq!(dropped("long"), 1);
    let full = (0..2).map(|at| {
        let mut event = task("full", 2, 7, 8_000);
        let data = event["data"].as_object_mut().unwrap();
        for k in 0..7 {
            let text = data.remove(&format!("k{k}")).unwrap();
            data.insert(format!("k{at}{k}"), text);
        }
        event
    });
    cursor = publish(address, full, 1).await;
    until_folded(address, &cursor).await;
    assert!(dropped("full") >= 4, "{}", dropped("full"));
    let (_, state) = get(address, "/api/v1/state").await;
    assert!(state["tasks"]["t2"].to_string().len() < 68_000);
    server.shutdown().await;
}
