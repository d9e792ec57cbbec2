//! Clients that are sent elsewhere: those of a node that is drained, of a room, of a user.

mod command;
mod node;
mod some;

use std::net::SocketAddr;

use kit::{START_SECRET, guarded::request, until};
use serde_json::{Value, json};

const DRAIN: &str = "/api/v1/admin/drain";

/// Begins a drain; its status.
async fn drain(address: SocketAddr, wish: &Value) -> Value {
    let (status, answer) = request("POST", address, DRAIN, START_SECRET, Some(wish)).await;
    assert_eq!(status, 200, "{answer}");
    answer
}

/// Waits until no client is left.
async fn drained(address: SocketAddr) -> Value {
    until("no client to be left", async || {
        let (_, status) = request("GET", address, DRAIN, START_SECRET, None).await;
        (status["state"] == "drained").then_some(status)
    })
    .await
}

/// Ends a drain.
async fn serve_again(address: SocketAddr) {
    let (status, answer) = request("DELETE", address, DRAIN, START_SECRET, None).await;
    assert_eq!((status, answer), (200, json!({ "ended": true })));
}

fn task(n: usize) -> Value {
    json!({
        "id": format!("e{n}"), "type": "task.created", "project_id": "p",
        "data": { "task_id": format!("t{n}"), "name": "x" },
    })
}
