//! Several nodes that share a journal on a real engine.

mod drain;
mod failover;
mod nodes;
mod sentinel;
mod trial;

use kit::{redis::Redis, server_with};
use stoa::{config::JournalKind, server::Running};

/// A node of the deployment that an engine keeps.
async fn node(engine: &Redis, name: &str) -> Running {
    let url = engine.url();
    server_with(|config| {
        config.journal.kind = JournalKind::Redis;
        config.journal.url = url.into();
        config.cluster.node_id = name.into();
    })
    .await
}
