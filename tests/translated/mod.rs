//! Streams of AG-UI, of Vercel's AI SDK and of LangGraph, over the wire: whole, in parts and message by message.

mod bounds;
mod rights;
mod streams;

use std::net::SocketAddr;

use serde_json::Value;

/// A recorded stream.
pub fn recorded(name: &str) -> String {
    let path = format!("{}/tests/data/producers/{name}", env!("CARGO_MANIFEST_DIR"));
    std::fs::read_to_string(path).unwrap()
}

/// Posts a body to a path; the status and the answer.
pub async fn send(
    address: SocketAddr,
    path: &str,
    media: &str,
    body: impl Into<reqwest::Body>,
) -> (u16, Value) {
    send_as(address, path, media, body, None).await
}

/// The same with a token.
pub async fn send_as(
    address: SocketAddr,
    path: &str,
    media: &str,
    body: impl Into<reqwest::Body>,
    token: Option<&str>,
) -> (u16, Value) {
    let mut request = kit::http_client()
        .post(format!("http://{address}{path}"))
        .header("content-type", media)
        .body(body);
    if let Some(token) = token {
        request = request.bearer_auth(token);
    }
    let response = request.send().await.unwrap();
    let status = response.status().as_u16();
    (status, response.json().await.unwrap())
}

/// The number of accepted, repeated and rejected messages.
pub fn counts(answer: &Value) -> [u64; 3] {
    let rejected = answer["rejected"].as_array().map_or(0, Vec::len) as u64;
    let count = |key: &str| answer[key].as_u64().unwrap_or(0);
    [count("accepted"), count("duplicates"), rejected]
}
