//! Filters that cost as much as a filter may, and events whose names nobody has seen before.

use serde_json::json;

use super::{Attack, Target};
use kit::socket::Socket;

pub(crate) const ATTACK: Attack = Attack {
    name: "filters",
    what: "100 clients with 100 patterns of 110 characters each, and 2,000 events with names of 120 characters",
    run: |target| Box::pin(run(target)),
    ..Attack::NONE
};

const CLIENTS: usize = 100;
const PATTERNS: usize = 100;
const CALLS: usize = 40;
const EVENTS: usize = 50;

async fn run(target: Target) {
    let mut clients = Vec::new();
    for client in 0..target.scaled(CLIENTS) {
        let types: Vec<_> = (0..PATTERNS)
            .map(|n| format!("*a?a*a?a*{}*{client}x{n}*", "a".repeat(90)))
            .collect();
        let auth = json!({ "filters": { "types": types } }).to_string();
        clients.push(Socket::connect(target.address, &auth, None).await);
    }
    let client = Target::client();
    for call in 0..target.scaled(CALLS) {
        let events: Vec<_> = (0..EVENTS)
            .map(|n| json!({ "type": format!("{}{call}.{n}", "a".repeat(110)) }))
            .collect();
        target.publish(&client, json!(events).to_string()).await;
    }
}
