//! The doors for plain WebSockets, as the spy opens them.

use std::{
    net::SocketAddr,
    sync::{Arc, Mutex},
};

use kit::door::DoorClient;
use serde_json::json;

/// The paths of the doors at which a client gets all updates that it may see, each with its query so far.
const PATHS: &[&str] = &[
    "/ws/spy/?batch=false",
    "/ws/visualization?batch=false",
    "/ws/visualization?batch=true",
];
/// The number of these doors.
pub fn doors() -> usize {
    PATHS.len()
}

/// Opens the nth of these doors and subscribes to rooms of the spy's own and of others; the text grows with each message.
pub async fn open(address: SocketAddr, n: usize, token: &str, cursor: &str) -> Arc<Mutex<String>> {
    let door = PATHS[n % doors()];
    let cursor = match n / doors() % 2 {
        0 => String::new(),
        _ => format!("&cursor={cursor}"),
    };
    let path = format!("{door}&token={token}{cursor}");
    let mut client = DoorClient::open(address, &path).await.expect("is let in");
    for channels in [
        json!(["project:vicproject"]),
        json!(["spy_updates", "project:alpha"]),
    ] {
        let subscribe = json!({ "type": "subscribe", "channels": channels });
        client.send(&subscribe).await;
    }
    let text = Arc::new(Mutex::new(String::new()));
    let grows = text.clone();
    tokio::spawn(async move {
        while let Some(message) = client.next().await {
            // The refusal repeats the name that was asked for.
            if message["type"] != "error" {
                grows.lock().unwrap().push_str(&message.to_string());
            }
        }
    });
    text
}
