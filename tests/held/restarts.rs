//! Bounds after a restart: those of the configuration hold, whatever they were when the state was saved.

use std::{path::Path, time::Instant};

use serde_json::{Value, json};

use crate::held::{publish, server_on};
use kit::{PATIENCE, counted_in, get, until_folded};

/// Events after which the state is saved.
const SAVED_AFTER: usize = 20_000;
const TASKS: usize = 600;

fn tasks(numbers: std::ops::Range<usize>) -> impl Iterator<Item = Value> {
    numbers.map(|n| {
        json!({ "type": "task.created", "project_id": "p1", "data": { "task_id": format!("t{n}") } })
    })
}

/// Waits until a state was saved that has all of the tasks in it.
async fn until_saved(path: &Path) {
    let connection = rusqlite::Connection::open(path).unwrap();
    let started = Instant::now();
    let newest = "SELECT COALESCE(MAX(seq), 0) FROM checkpoints";
    loop {
        let seq: u64 = connection.query_row(newest, [], |row| row.get(0)).unwrap();
        if seq >= TASKS as u64 {
            return;
        }
        assert!(started.elapsed() < PATIENCE, "{seq}");
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
}

#[tokio::test]
async fn a_saved_state_is_held_to_the_bounds_of_now_smaller_or_larger() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("stoa.db");
    let start = async |max: usize, max_known: usize| {
        server_on(&path, |config| {
            config.performance.max_entities.set(max as u64).unwrap();
            config.access.max_known.set(max_known as u64).unwrap();
        })
        .await
    };
    let server = start(1_000, 1_000).await;
    publish(server.address(), tasks(0..TASKS), 500).await;
    let notes = (0..SAVED_AFTER).map(|_| json!({ "type": "note.x", "data": {} }));
    publish(server.address(), notes, 1_000).await;
    until_saved(&path).await;
    server.shutdown().await;

    let known = async |address| {
        let (_, state) = get(address, "/api/v1/state").await;
        state["tasks"].as_object().unwrap().len()
    };
    // Those whose project is remembered, of those that are now named without one.
    let remembered = async |address, numbers: std::ops::Range<usize>, name: &str| {
        let events = numbers.rev().map(
            |n| json!({ "type": format!("task.{name}"), "data": { "task_id": format!("t{n}") } }),
        );
        let cursor = publish(address, events, 500).await;
        until_folded(address, &cursor).await;
        let path = format!("/api/v1/events?type=task.{name}&project_id=p1&order=desc&limit=1000");
        let (_, page) = get(address, &path).await;
        page["events"].as_array().unwrap().len()
    };

    let server = start(100, 100).await;
    let address = server.address();
    let kept = known(address).await;
    assert!((80..=100).contains(&kept), "{kept}");
    let evicted = counted_in(
        &server,
        "stoa_state_evicted_total{kind=\"tasks\",reason=\"count\"}",
    );
    assert_eq!(evicted, (TASKS - kept) as u64);
    assert_eq!(remembered(address, 0..TASKS, "smaller").await, 100);
    let cursor = publish(address, tasks(1_000..1_300), 50).await;
    until_folded(address, &cursor).await;
    let kept = known(address).await;
    assert!((80..=100).contains(&kept), "{kept}");
    server.shutdown().await;

    let server = start(1_500, 10_000).await;
    let address = server.address();
    let before = known(address).await;
    let cursor = publish(address, tasks(2_000..3_300), 500).await;
    until_folded(address, &cursor).await;
    let kept = known(address).await;
    assert!(kept > 1_300 && kept <= 1_500, "{before} and {kept}");
    assert_eq!(remembered(address, 2_000..3_000, "larger").await, 1_000);
    let cursor = publish(address, tasks(4_000..5_500), 500).await;
    until_folded(address, &cursor).await;
    let kept = known(address).await;
    assert!((1_300..=1_500).contains(&kept), "{kept}");
    server.shutdown().await;
}
