//! A node's answers from memory while its engine is there, and while it is away.

use std::time::{Duration, Instant};

use kit::{get, post, redis::Redis, until};
use serde_json::{Value, json};

use super::nodes::{node, shared};

/// Tasks in the state that is asked for.
const TASKS: usize = 200;

/// Asks for the state one time after the other, before and after the engine is killed.
pub async fn compare(limit: Duration) {
    let folder = tempfile::tempdir().expect("a folder");
    let mut engine = Redis::lasting().await.expect("one is installed");
    let url = engine.url();
    let node = node(folder.path(), &shared(&url, "a"), None).await;
    let tasks: Vec<Value> = (0..TASKS)
        .map(|n| json!({ "type": "task.created", "data": { "task_id": format!("t{n}"), "name": "a task" } }))
        .collect();
    let (status, answer) = post(node.address, &json!(tasks)).await;
    assert_eq!(status, 202, "{answer}");
    println!("\n## `GET /api/v1/state` with {TASKS} tasks, one time after the other, ms\n");
    println!("| the engine | p50 | p99 | publishing is refused within, p99 |\n|---|--:|--:|--:|");
    row("is there", &mut asked(node.address, limit).await, None);
    engine.kill();
    until("publishing to be refused", async || {
        (post(node.address, &tasks[0]).await.0 == 503).then_some(())
    })
    .await;
    let mut away = asked(node.address, limit).await;
    let mut refused = Vec::new();
    for _ in 0..200 {
        let begun = Instant::now();
        let (status, answer) = post(node.address, &tasks[0]).await;
        assert_eq!(status, 503, "{answer}");
        refused.push(begun.elapsed());
    }
    row("is away", &mut away, Some(refused));
    engine.again().await;
    until("publishing to be taken again", async || {
        (post(node.address, &tasks[0]).await.0 == 202).then_some(())
    })
    .await;
    row("is back", &mut asked(node.address, limit).await, None);
}

async fn asked(address: std::net::SocketAddr, limit: Duration) -> Vec<Duration> {
    let (begun, mut took) = (Instant::now(), Vec::new());
    while begun.elapsed() < limit {
        let asked = Instant::now();
        let (status, state) = get(address, "/api/v1/state").await;
        took.push(asked.elapsed());
        assert_eq!(status, 200, "{state}");
    }
    took
}

fn row(name: &str, took: &mut Vec<Duration>, refused: Option<Vec<Duration>>) {
    let at = |took: &mut Vec<Duration>, percent: usize| {
        took.sort_unstable();
        took[(took.len() - 1) * percent / 100].as_secs_f64() * 1e3
    };
    let refused = refused.map_or("–".into(), |mut refused| {
        format!("{:.2}", at(&mut refused, 99))
    });
    println!(
        "| {name} | {:.2} | {:.2} | {refused} |",
        at(took, 50),
        at(took, 99)
    );
}
