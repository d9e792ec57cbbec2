//! The settings: what `config.toml` and the environment may say, with a default for everything.
//!
//! A file is optional. `STOA_SECTION__KEY` in the environment comes before the file. An unknown key, a value of the wrong
//! kind or out of range stops the start; the message names the place and the nearest right key.

mod admin_ui;
mod alerts;
mod authentication;
mod backend;
mod bus;
mod doors;
mod emit;
mod environment;
mod invalid;
mod load;
mod networks;
mod numbers;
mod origins;
mod otlp;
mod place;
mod policy;
mod recipients;
mod recovery;
mod role;
mod rule_config;
mod rules;
mod secret;
mod sections;
mod server;
mod switch;
#[cfg(test)]
mod tests;
mod tls;
mod traces;
mod translate;
mod validate;
mod web_address;
mod words;

pub use admin_ui::{AdminUi, AdminUiMode};
pub use alerts::Alerts;
pub use authentication::{ApiKeyConfig, Authentication, LEAST_SECRET};
pub(crate) use authentication::{short_secret, weak_secret};
pub use backend::Backend;
pub use bus::{Bus, BusKind, BusOperation, PythonData};
pub use doors::{DoorPort, Doors};
pub use emit::Emit;
pub use environment::is_setting;
pub use load::ConfigError;
pub use networks::Networks;
pub use numbers::{Count, Millis, OutOfBounds, Seconds};
pub use origins::LOOPBACK;
pub use otlp::{Content, Hooks, Otlp};
pub use policy::{
    ContentFiltering, Journal, JournalAcks, JournalDurability, JournalKind, Pace, RateLimiting,
    Seneca, Transform,
};
pub use recipients::Recipients;
pub use recovery::{Offsets, Recovery};
pub use role::Role;
pub use rule_config::{MAX_WINDOW_MS, RuleConfig};
pub use rules::{FreeRooms, Rule, Rules};
pub use secret::Secret;
pub use sections::{
    Analytics, Breakers, Cluster, Demo, Inputs, Log, LogFormat, Namespaces, Performance, Rooms,
};
pub use server::{Server, split_port};
pub use switch::Switch;
pub use tls::Tls;
pub use traces::Traces;
pub use translate::Translate;

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
    /// The namespaces of applications.
    pub namespaces: Namespaces,
    /// Sessions that clients come back to.
    pub recovery: Recovery,
    /// Speed against memory and bytes.
    pub performance: Performance,
    /// Tokens.
    pub authentication: Authentication,
    /// The login of Socket.IO's own Admin UI.
    pub admin_ui: AdminUi,
    /// The rules on things.
    pub access: Rules,
    /// Budgets of clients' messages.
    pub rate_limiting: RateLimiting,
    /// Limits on events.
    pub content_filtering: ContentFiltering,
    /// Limits on emissions.
    pub emit: Emit,
    /// Limits on streams of other systems.
    pub translate: Translate,
    /// The rules from events to updates.
    pub transform: Transform,
    /// The times at which updates are sent.
    pub pace: Pace,
    /// The journal of events.
    pub journal: Journal,
    /// Answers to the questions of agents.
    pub inputs: Inputs,
    /// Circuit breakers around outside parts.
    pub breakers: Breakers,
    /// Notices to operators that did not ask.
    pub alerts: Alerts,
    /// The application's own service.
    pub backend: Backend,
    /// The doors for clients of other systems.
    pub doors: Doors,
    /// Spans of OpenTelemetry.
    pub otlp: Otlp,
    /// The hooks of Claude Code.
    pub hooks: Hooks,
    /// Emitters on Redis or Valkey.
    pub bus: Bus,
    /// Updates for Seneca's own pages.
    pub seneca: Seneca,
    /// Figures about the use of the server.
    pub analytics: Analytics,
    /// Several servers as one.
    pub cluster: Cluster,
    /// The invented team at work.
    pub demo: Demo,
    /// The log.
    pub log: Log,
    /// Spans for a collector.
    pub traces: Traces,
}

impl Config {
    /// The whole of the settings as TOML; secrets are not shown.
    pub fn effective(&self) -> String {
        toml::to_string(self).unwrap_or_default()
    }

    /// Whether observers' messages are limited. The default is yes, except on a first run: on this machine only,
    /// without authentication, and with unchanged limits.
    pub fn limits_rates(&self) -> bool {
        match self.rate_limiting.enabled {
            Switch::On => true,
            Switch::Off => false,
            Switch::Auto => {
                self.authentication.required
                    || !self.server.is_loopback()
                    || self.rate_limiting != RateLimiting::default()
            }
        }
    }

    /// The reason why these settings must not be served unless the operator says so: everybody could get in.
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

    /// Warnings about settings that are allowed but risky.
    pub fn warnings(&self) -> Vec<String> {
        let mut warnings = Vec::from_iter(self.authentication.warning());
        let weak = weak_secret(self.authentication.secret.as_bytes());
        warnings.extend(weak.map(|weak| format!("[authentication] secret {weak}")));
        if !self.server.is_loopback() && self.server.hosts.is_empty() {
            warnings.push(
                "requests to this server by a name are refused: only IP addresses and loopback names are answered; name the \
                 names by which it is reached ([server] hosts)"
                    .into(),
            );
        }
        if self.authentication.required && !self.authentication.start_secret.is_empty() {
            warnings.push(
                "[authentication] start_secret opens nothing while tokens are required".into(),
            );
        }
        if self.journal.kind != JournalKind::Redis && !self.journal.url.is_empty() {
            warnings.push(
                "this node shares its journal with no other: [journal] url is an engine's, and kind is not \"redis\""
                    .into(),
            );
        }
        if self.journal.kind == JournalKind::Redis && self.cluster.node_id.is_empty() {
            warnings.push(
                "this node has another name after each start, and its figures and its clients' sessions are not its own then: \
                 name it ([cluster] node_id)"
                    .into(),
            );
        }
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
