//! The certificate: read at the start, and again when it is renewed.

use std::{sync::Arc, time::Duration};

use super::reload::{self, Asked, Files};
use crate::{
    config::Tls,
    net::{Certificates, TlsError},
    observe::Metrics,
};

const FILES: Files = Files {
    name: "certificate",
    taken: "a new certificate is served from now on",
    same: "the certificate's files have not changed",
    refused: "the new certificate can't be served; the old one stays",
};

/// Reads the configured certificate; `None` for plain HTTP.
pub(super) fn load(config: &Tls) -> Result<Option<Arc<Certificates>>, TlsError> {
    if !config.is_on() {
        return Ok(None);
    }
    Certificates::load(&config.cert_file, &config.key_file).map(Some)
}

/// Serves a renewed certificate. Never returns.
pub(super) async fn keep_fresh(
    certificates: Arc<Certificates>,
    interval: Duration,
    metrics: Arc<Metrics>,
    asked: Asked,
) {
    reload::keep_fresh(&FILES, interval, metrics, asked, move || {
        certificates.reload()
    })
    .await;
}
