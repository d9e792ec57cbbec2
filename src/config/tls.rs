//! `[tls]`: encryption by the server itself, where no proxy does it.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use smart_default::SmartDefault;

use super::numbers::Seconds;

/// `[tls]`: on when both files are named.
#[derive(Debug, Clone, PartialEq, SmartDefault, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Tls {
    /// The certificate with its chain, PEM; empty for plain HTTP.
    pub cert_file: PathBuf,
    /// The certificate's private key, PEM.
    pub key_file: PathBuf,
    /// Seconds between two readings of the files, so that a renewed certificate is served without a restart.
    pub reload_interval: Seconds<10_000>,
    /// Seconds for the handshake, against clients that begin one and stop.
    pub handshake_timeout: Seconds<10_000>,
    /// Seconds for which browsers shall come by https only (Strict-Transport-Security); 0 leaves the header out.
    #[default = 31_536_000]
    pub hsts_max_age: u64,
}

impl Tls {
    /// Whether connections are encrypted.
    pub fn is_on(&self) -> bool {
        !self.cert_file.as_os_str().is_empty()
    }
}
