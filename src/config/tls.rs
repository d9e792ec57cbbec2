//! `[tls]`: encryption by the server itself, for whoever has no proxy that does it.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::numbers::{durations, positive};

/// `[tls]`: on when both files are named.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Tls {
    /// The certificate with its chain, PEM; empty for plain HTTP.
    pub cert_file: PathBuf,
    /// The certificate's private key, PEM.
    pub key_file: PathBuf,
    /// Seconds between two looks at the files, so that a renewed certificate is served without a restart.
    #[serde(deserialize_with = "positive")]
    pub reload_interval: f64,
    /// Seconds for the handshake, against clients that begin one and say no more.
    #[serde(deserialize_with = "positive")]
    pub handshake_timeout: f64,
    /// Seconds that browsers shall come by https only (Strict-Transport-Security); 0 says nothing of it.
    pub hsts_max_age: u64,
}

durations!(Tls {
    reload_interval,
    handshake_timeout,
});

impl Default for Tls {
    fn default() -> Self {
        Self {
            cert_file: PathBuf::new(),
            key_file: PathBuf::new(),
            reload_interval: 10.0,
            handshake_timeout: 10.0,
            hsts_max_age: 31_536_000,
        }
    }
}

impl Tls {
    /// Whether connections are encrypted.
    pub fn is_on(&self) -> bool {
        !self.cert_file.as_os_str().is_empty()
    }
}
