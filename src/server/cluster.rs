//! Builds the link between the nodes that share a journal.

use std::net::SocketAddr;

use super::error::ServeError;
use crate::{
    cluster::{Cluster, ClusterMetrics, ClusterOptions},
    config::Config,
    journal::RedisOptions,
    observe::Metrics,
};

/// The link that the settings describe, before it is made; one that does nothing where the journal is this server's alone.
pub(super) fn build(
    config: &Config,
    engine: Option<&RedisOptions>,
    address: SocketAddr,
    metrics: &Metrics,
) -> Result<Cluster, ServeError> {
    let counters = ClusterMetrics::default();
    metrics.add(|registry| counters.register(registry));
    let Some(engine) = engine else {
        return Ok(Cluster::default());
    };
    let settings = &config.cluster;
    let options = ClusterOptions {
        url: engine.url.clone(),
        sentinels: engine.sentinels.clone(),
        deployment: engine.deployment.clone(),
        node: engine.node.clone(),
        address: address.to_string(),
        timeout: engine.timeout,
        queue_bytes: settings.queue_bytes.into(),
        max_message: settings.max_message.into(),
        node_timeout: settings.node_timeout.get(),
        max_nodes: settings.max_nodes.into(),
        answer_within: settings.answer_within.get(),
    };
    Ok(Cluster::new(options, counters)?)
}
