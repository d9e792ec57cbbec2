//! Several nodes that share a journal on a real engine.

mod actions;
mod bus;
mod drain;
mod emissions;
mod failover;
mod nodes;
mod operations;
mod sentinel;
mod together;
mod trial;

use kit::{counted_in, redis::Redis, server_with, until};
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

/// Waits until each of these nodes knows all others.
async fn linked(nodes: &[&Running]) {
    let others = nodes.len() as u64 - 1;
    until("the nodes to know each other", async || {
        let knows = |node: &&Running| counted_in(node, "stoa_cluster_nodes") == others;
        nodes.iter().all(knows).then_some(())
    })
    .await;
}
