//! The settings: what `config.toml` and the environment may say, with a default for everything.
//!
//! A file is optional. `STOA_SECTION__KEY` in the environment comes before the file. An unknown key, a value of the wrong
//! kind or out of range stops the start; the message names the place and the nearest right key.

mod load;
mod networks;
mod origins;
mod place;
mod policy;
mod seconds;
mod sections;
mod server;
#[cfg(test)]
mod tests;
mod tls;
mod validate;

pub use load::ConfigError;
pub use networks::Networks;
pub use policy::{
    Authentication, ContentFiltering, Journal, JournalDurability, JournalKind, Pace, RateLimiting,
    Seneca, Transform,
};
pub use sections::{Cluster, Demo, Log, LogFormat, Performance, Rooms};
pub use server::Server;
pub use tls::Tls;

use serde::{Deserialize, Serialize};

/// All settings.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// The listener and the life of one connection.
    pub server: Server,
    /// Encryption by the server itself.
    pub tls: Tls,
    /// Named sets of observers.
    pub rooms: Rooms,
    /// Speed against memory and bytes.
    pub performance: Performance,
    /// Tokens.
    pub authentication: Authentication,
    /// How much one client may send.
    pub rate_limiting: RateLimiting,
    /// What an event may look like.
    pub content_filtering: ContentFiltering,
    /// What becomes of an event.
    pub transform: Transform,
    /// When updates are written.
    pub pace: Pace,
    /// What is kept of the stream.
    pub journal: Journal,
    /// What Seneca's own pages are sent.
    pub seneca: Seneca,
    /// Several servers as one.
    pub cluster: Cluster,
    /// The invented team at work.
    pub demo: Demo,
    /// What the server says about itself.
    pub log: Log,
}

impl Config {
    /// The whole of the settings as TOML; the secret is not shown.
    pub fn effective(&self) -> String {
        let mut shown = self.clone();
        if !shown.authentication.secret.is_empty() {
            shown.authentication.secret = "(hidden)".into();
        }
        toml::to_string(&shown).unwrap_or_default()
    }

    /// Why these settings must not be served without the word of whoever starts the server: everybody could come in.
    pub fn unsafe_combination(&self) -> Option<String> {
        let open = !self.authentication.required && !self.server.is_loopback();
        (open && !self.server.allow_insecure).then(|| {
            format!(
                "{} is reachable from other machines and nobody is asked for a token: listen on 127.0.0.1 ([server] host), \
                 set [authentication] required, or say that it is meant so with `stoa serve --insecure` or [server] allow_insecure",
                self.server.host
            )
        })
    }

    /// What whoever starts the server should know although it is allowed.
    pub fn warnings(&self) -> Vec<String> {
        let mut warnings = Vec::new();
        if !self.authentication.required {
            warnings.push("authentication is off: whoever can connect may publish and watch ([authentication] required)".into());
            if !self.server.is_loopback() {
                warnings.push(format!(
                    "{} is reachable from other machines; put a proxy in front that lets in only whom you trust ([server] host)",
                    self.server.host
                ));
            }
        }
        warnings
    }
}
