//! The bounds of what the server holds of the stream, as producers and operators see them: over the wire, on a real server.

mod dashboard;
mod fair_dashboard;
mod ids;
mod known;
mod restarts;
mod state;

use std::{net::SocketAddr, path::Path};

use kit::{config, post};
use serde_json::Value;
use stoa::{config::Config, server::Running};

/// A server with a journal in a file.
async fn server_on(path: &Path, change: impl FnOnce(&mut Config)) -> Running {
    let mut config = config();
    config.journal.kind = stoa::config::JournalKind::Sqlite;
    config.journal.path = path.to_owned();
    change(&mut config);
    stoa::server::start(&config).await.expect("it starts")
}

/// Publishes in calls of so many; the last cursor.
async fn publish(
    address: SocketAddr,
    events: impl IntoIterator<Item = Value>,
    at_once: usize,
) -> Value {
    let mut events = events.into_iter().peekable();
    let mut cursor = Value::Null;
    while events.peek().is_some() {
        let batch: Value = events.by_ref().take(at_once).collect();
        let (status, answer) = post(address, &batch).await;
        assert_eq!(status, 202, "{answer}");
        assert_eq!(answer["rejected"], serde_json::json!([]), "{answer}");
        cursor = answer["cursor"].clone();
    }
    cursor
}
