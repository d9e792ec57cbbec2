//! `ping`, and events that nobody handles.

use serde_json::{Value, json};

use super::answer::Answer;
use crate::{doors::socketio::client::Client, error::Error, timestamp::Timestamp};

pub(super) fn unknown(client: &Client) -> Error {
    client.context.metrics.unknown_event();
    Error::new(
        "unknown_event",
        "this server handles no event of that name; what other clients shall hear, a producer publishes",
    )
}

pub(super) fn pong(client: &Client) -> Answer {
    let now = Timestamp::now();
    if let Value::Object(pong) = json!({ "type": "pong", "timestamp": now }) {
        client.emit("pong", pong);
    }
    json!({ "timestamp": now }).into()
}
