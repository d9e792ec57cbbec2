//! Emitters on a real Redis: what they emit reaches clients as it is, whatever else is on the bus comes to nothing, and the
//! bus may go and come back.

mod allowed;
mod emitted;
mod life;
mod refused;
mod streams;

use kit::{Client, counted_in, redis::Redis, server_with, wait_for};
use serde_json::{Value, json};
use stoa::{config::Config, server::Running};

/// A server on the bus, which listens when this returns.
pub(crate) async fn on_bus(redis: &Redis, change: impl FnOnce(&mut Config)) -> Running {
    let server = server_with(|config| {
        config.bus.url = redis.url().into();
        change(config);
    })
    .await;
    until_connected(&server, 1).await;
    server
}

/// Waits until a server has connected so many times.
pub(crate) async fn until_connected(server: &Running, times: u64) {
    wait_for("the bus", async || {
        counted_in(server, "stoa_bus_connects_total") >= times
            && counted_in(server, "stoa_bus_connected") >= 1
    })
    .await;
}

/// Waits until so many messages were refused for a reason.
pub(crate) async fn until_refused(server: &Running, reason: &str, times: u64) {
    let start = format!("stoa_bus_refused_total{{reason=\"{reason}\"}}");
    wait_for(&format!("{reason} × {times}"), async || {
        counted_in(server, &start) >= times
    })
    .await;
    assert_eq!(counted_in(server, &start), times, "{reason}");
}

pub(crate) async fn client(server: &Running, rooms: &[&str]) -> (Client, String) {
    let (client, hello) = Client::connect(server.address(), json!({ "rooms": rooms })).await;
    (client, hello["client_id"].as_str().unwrap().to_owned())
}

/// The next event's packet, as it came; greetings and pongs are passed over.
pub(crate) async fn packet(client: &mut Client, start: &str) -> String {
    loop {
        let text = client.text().await.expect("it is connected");
        if text.starts_with(start) {
            return text;
        }
    }
}

/// A message of `emit` as python-socketio from 5.15.1 on writes it.
pub(crate) fn python(event: &str, data: Value, more: Value) -> Vec<u8> {
    let mut message = json!({
        "method": "emit", "event": event, "binary": false, "namespace": "/",
        "room": null, "skip_sid": null, "callback": null, "host_id": "0".repeat(32),
    });
    message["data"] = data;
    if let (Value::Object(message), Value::Object(more)) = (&mut message, more) {
        message.extend(more);
    }
    message.to_string().into_bytes()
}
