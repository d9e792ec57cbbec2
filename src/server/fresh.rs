//! The files that are read again while the server runs: the certificate, and the keys for tokens.

use std::sync::Arc;

use tokio::task::JoinHandle;

use super::{authenticator, certificates, essential::Essential, reload::Asked};
use crate::{access::authn::Tokens, config::Config, net::Certificates, observe::Metrics};

/// Starts the watch over each of these files that is configured.
pub(super) fn keep(
    config: &Config,
    essential: &Essential,
    (certificates, tokens): (Option<Arc<Certificates>>, Arc<Tokens>),
    metrics: &Arc<Metrics>,
) -> Vec<JoinHandle<()>> {
    let certificate = certificates.map(|certificates| {
        let interval = config.tls.reload_interval.get();
        let fresh =
            certificates::keep_fresh(certificates, interval, metrics.clone(), Asked::listen());
        essential.spawn("watch over the certificate", fresh)
    });
    let keys = tokens.files().map(|file| {
        let interval = config.authentication.reload_interval.get();
        let (tokens, metrics) = (tokens.clone(), metrics.clone());
        let fresh = authenticator::keep_fresh(tokens, file, interval, metrics, Asked::listen());
        essential.spawn("watch over the keys", fresh)
    });
    certificate.into_iter().chain(keys).collect()
}
