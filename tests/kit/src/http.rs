//! Requests over HTTP by a client that has its manners.

use std::net::SocketAddr;

use serde_json::Value;

use crate::PATIENCE;

/// Publishes over HTTP; the status and the answer.
pub async fn post(address: SocketAddr, body: &Value) -> (u16, Value) {
    post_raw(address, "application/json", body.to_string()).await
}

/// Publishes any body over HTTP.
pub async fn post_raw(
    address: SocketAddr,
    media: &str,
    body: impl Into<reqwest::Body>,
) -> (u16, Value) {
    let response = reqwest::Client::new()
        .post(format!("http://{address}/api/v1/events"))
        .header("content-type", media)
        .body(body)
        .send()
        .await
        .expect("answers");
    let status = response.status().as_u16();
    (status, response.json().await.expect("JSON"))
}

/// Waits until what was published up to this cursor is in the state: the hub reads the journal a moment after the producer
/// has its answer.
pub async fn until_folded(address: SocketAddr, cursor: &Value) {
    let folding = async { while get(address, "/api/v1/state").await.1["cursor"] != *cursor {} };
    tokio::time::timeout(PATIENCE, folding)
        .await
        .unwrap_or_else(|_| panic!("the state never comes to {cursor}"));
}

/// Gets JSON over HTTP.
pub async fn get(address: SocketAddr, path: &str) -> (u16, Value) {
    let response = reqwest::get(format!("http://{address}{path}"))
        .await
        .expect("answers");
    let status = response.status().as_u16();
    (status, response.json().await.unwrap_or(Value::Null))
}
