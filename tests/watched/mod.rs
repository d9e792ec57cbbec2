//! Agents that are watched without code of their own: spans of exporters, and hooks of Claude.

mod hooks;
mod otlp;
mod otlp_refused;

use std::net::SocketAddr;

use kit::{PATIENCE, get, http_client, until};
use serde_json::Value;

/// Posts a body as it is; the status, the headers and the bytes of the answer.
async fn send(
    address: SocketAddr,
    path: &str,
    headers: &[(&str, &str)],
    body: impl Into<reqwest::Body>,
) -> (u16, reqwest::header::HeaderMap, Vec<u8>) {
    let mut request = http_client()
        .post(format!("http://{address}{path}"))
        .body(body);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let answer = tokio::time::timeout(PATIENCE, request.send()).await;
    let answer = answer.expect("in time").expect("answers");
    let status = answer.status().as_u16();
    let headers = answer.headers().clone();
    let body = answer.bytes().await.expect("its bytes").to_vec();
    (status, headers, body)
}

/// The state once it is so.
async fn state_when(address: SocketAddr, what: &str, is_so: impl Fn(&Value) -> bool) -> Value {
    until(what, async || {
        let state = get(address, "/api/v1/state").await.1;
        is_so(&state).then_some(state)
    })
    .await
}
