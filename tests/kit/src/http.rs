//! Requests over HTTP by a client that has its manners.

use std::{net::SocketAddr, sync::LazyLock};

use serde_json::Value;

use crate::wait_for;

static CLIENT: LazyLock<reqwest::Client> = LazyLock::new(|| {
    reqwest::Client::builder()
        .no_proxy()
        .tls_certs_only([])
        .pool_max_idle_per_host(0)
        .build()
        .expect("a client")
});

/// A client of HTTP, made once: each new one reads all the roots that the system trusts. Each of its requests has a connection
/// of its own, so tests of one process that run at once share none.
pub fn http_client() -> &'static reqwest::Client {
    &CLIENT
}

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
    let response = http_client()
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
    wait_for(&format!("the state of {cursor}"), async || {
        // The cursor is wanted, and nothing of the state with it.
        let (_, state) = get(address, "/api/v1/state?project_id=none").await;
        state["cursor"] == *cursor
    })
    .await;
}

/// Gets JSON over HTTP.
pub async fn get(address: SocketAddr, path: &str) -> (u16, Value) {
    let response = http_client()
        .get(format!("http://{address}{path}"))
        .send()
        .await
        .expect("answers");
    let status = response.status().as_u16();
    (status, response.json().await.unwrap_or(Value::Null))
}
