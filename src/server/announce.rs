//! The log lines of a server that listens: the address, what is kept, the risks, and how to become an admin.

use std::net::SocketAddr;

use super::journal;
use crate::{
    access::authn::{StartSecret, weak_secret_file},
    config::Config,
    doors::http,
};

/// Logs all of it.
pub(super) fn started(
    address: SocketAddr,
    visualization: Option<SocketAddr>,
    start_secret: Option<&StartSecret>,
    config: &Config,
) {
    let scheme = if config.tls.is_on() { "https" } else { "http" };
    let node_id = config.cluster.node_id.as_str();
    let shown = shown(address);
    if http::missing_page(&config.server.web_root).is_none() {
        tracing::info!(address = %address, node_id, "Stoa listens; the demo page is at {scheme}://{shown}/");
    } else {
        tracing::info!(address = %address, node_id, "Stoa listens at {scheme}://{shown}/");
    }
    if let Some(address) = visualization {
        let scheme = if config.tls.is_on() { "wss" } else { "ws" };
        let shown = self::shown(address);
        tracing::info!(address = %address, "the workflow visualization is at {scheme}://{shown} too");
    }
    tracing::info!("{}", journal::kept(&config.journal));
    for warning in warnings(config) {
        tracing::warn!("{warning}");
    }
    tell_start_secret(start_secret, scheme, &shown);
}

/// Logs how to become an admin, as a warning: without this line nobody could be one.
fn tell_start_secret(start_secret: Option<&StartSecret>, scheme: &str, shown: &str) {
    match start_secret {
        None => {}
        Some(secret) if secret.is_minted() => tracing::warn!(
            "nobody is admin without a proof; to be one until the next start, open {scheme}://{shown}/?token={}, or give \
             the text behind token= as a token",
            secret.reveal()
        ),
        Some(_) => tracing::info!(
            "nobody is admin without a proof: show the secret of [authentication] start_secret as a token"
        ),
    }
}

/// Warnings about settings that are allowed but risky, and about the files that they name.
pub fn warnings(config: &Config) -> Vec<String> {
    let mut warnings = config.warnings();
    warnings.extend(weak_secret_file(&config.authentication));
    warnings.extend(http::missing_page(&config.server.web_root));
    warnings
}

/// An address that a browser on this machine can open.
fn shown(address: SocketAddr) -> String {
    if address.ip().is_loopback() || address.ip().is_unspecified() {
        format!("localhost:{}", address.port())
    } else {
        address.to_string()
    }
}
