//! Builds the link between the nodes that share a journal.

use std::net::SocketAddr;

use tokio::task::JoinHandle;

use super::{error::ServeError, essential::Essential};
use crate::{
    cluster::{Cluster, ClusterMetrics, ClusterOptions},
    config::Config,
    emitter::Emitter,
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

/// The task that carries other nodes' emissions to the hub, if there may be any.
pub(super) fn carry(
    cluster: &Cluster,
    emitter: &Emitter,
    essential: &Essential,
) -> Option<JoinHandle<()>> {
    cluster.is_on().then(|| {
        let carrier = emitter.take_elsewhere().run(emitter.clone());
        essential.spawn("carrier of other nodes' emissions", carrier)
    })
}

/// Makes the link, when all parts that other nodes may ask are there; the tasks that keep it going, and that notice its end.
pub(super) async fn start(
    cluster: &Cluster,
    essential: &Essential,
) -> Result<Vec<JoinHandle<()>>, ServeError> {
    if !cluster.is_on() {
        return Ok(Vec::new());
    }
    cluster.start().await?;
    Ok(vec![
        essential.spawn("pulse of the cluster", cluster.pulse()),
        essential.spawn("link between the nodes", cluster.ended()),
    ])
}
