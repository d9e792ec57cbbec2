//! A client that comes back with a cursor gets exactly the updates that it missed, and a slow one gets the others
//! later.

mod cursors;
mod distinct;
mod leaving;
mod messages;
mod parts;
mod screen;
mod seneca;
mod slow;
mod snapshot;
mod unreadable;
mod windows;

use kit::{Client, post};
use serde_json::{Value, json};

/// Publishes decisions numbered by `range`.
async fn decide(address: std::net::SocketAddr, range: std::ops::Range<u64>) -> String {
    let events: Vec<Value> = range
        .map(|n| json!({ "type": "decision.logged", "id": format!("d{n}"), "data": { "what": "x", "n": n } }))
        .collect();
    let (status, answer) = post(address, &json!(events)).await;
    assert_eq!(status, 202, "{answer}");
    answer["cursor"].as_str().expect("cursor").to_owned()
}

async fn numbers(client: &mut Client, count: usize) -> (Vec<u64>, String) {
    let mut seen = Vec::new();
    let mut cursor = String::new();
    while seen.len() < count {
        let update = client.event("decision_event").await;
        seen.push(update["data"]["n"].as_u64().expect("n"));
        cursor = update["cursor"].as_str().expect("cursor").to_owned();
    }
    (seen, cursor)
}
