//! A state as large as it may be, which several clients want at once.

use std::time::{Duration, Instant};

use serde_json::{Map, Value, json};
use tokio::task::JoinHandle;

use super::{Attack, Target};
use kit::socket::Socket;

pub(crate) const ATTACK: Attack = Attack {
    name: "state",
    what: "3,000 tasks of 8 facts of 7.5 KB by one producer, then the state by HTTP four times at once and five clients that want a snapshot, again and again until the state was saved",
    settings: &[],
    prepare: None,
    run: |target| Box::pin(run(target)),
    restarts: true,
    waits: false,
};

const TASKS: usize = 3_000;
const BATCH: usize = 10;
const FACTS: usize = 8;
const FACT: usize = 7_500;
const READERS: usize = 4;
const CLIENTS: usize = 5;
/// A state is saved at the latest when it is 30 s old.
const UNTIL_SAVED: Duration = Duration::from_secs(36);

async fn run(target: Target) {
    let begun = Instant::now();
    let client = Target::client();
    let text = "x".repeat(FACT);
    for first in (0..target.scaled(TASKS)).step_by(BATCH) {
        let tasks = (first..first + BATCH).map(|n| task(n, &text));
        let body = Value::from_iter(tasks).to_string();
        let status = target.publish(&client, body).await;
        assert_eq!(status.map(|s| s.as_u16()), Some(202));
    }
    loop {
        let readers = (0..READERS).map(|_| tokio::spawn(read(target.clone())));
        let clients = (0..CLIENTS).map(|_| tokio::spawn(watch(target.clone())));
        let all: Vec<JoinHandle<()>> = readers.chain(clients).collect();
        for one in all {
            one.await.expect("it gets the state");
        }
        if begun.elapsed() > UNTIL_SAVED {
            return;
        }
        tokio::time::sleep(Duration::from_secs(2)).await;
    }
}

fn task(n: usize, text: &str) -> Value {
    let facts = (0..FACTS).map(|k| (format!("k{k}"), json!(text)));
    let mut data: Map<String, Value> = facts.collect();
    data.insert("task_id".into(), json!(format!("t{n}")));
    json!({ "type": "task.updated", "project_id": "loud", "data": data })
}

/// Reads all of the state by HTTP and keeps nothing of it.
async fn read(target: Target) {
    let call = Target::client().get(target.url("/api/v1/state")).send();
    let mut answer = call.await.expect("an answer");
    while answer.chunk().await.expect("all of it").is_some() {}
}

/// Reads all parts of a snapshot.
async fn watch(target: Target) {
    let auth = r#"{"snapshot":true,"filters":{"types":["nothing.*"]}}"#;
    let connected = Socket::connect(target.address, auth, None).await;
    let mut socket = connected.expect("it connects");
    let mut whole = false;
    while !whole {
        let read = socket.read(|packet| whole |= is_last(packet));
        read.await.expect("the connection holds");
    }
}

/// Whether it is the last part of a snapshot.
fn is_last(packet: &[u8]) -> bool {
    let head = &packet[..packet.len().min(400)];
    let head = String::from_utf8_lossy(head);
    let number = |key: &str| {
        let at = head.find(key)? + key.len();
        let digits = head[at..].bytes().take_while(u8::is_ascii_digit).count();
        head[at..at + digits].parse::<usize>().ok()
    };
    head.starts_with(r#"["snapshot""#)
        && number(r#""part":"#)
            .zip(number(r#""parts":"#))
            .is_none_or(|(part, parts)| part == parts)
}
