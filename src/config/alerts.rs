//! `[alerts]`: what operators are told without asking.

use serde::{Deserialize, Serialize};
use smart_default::SmartDefault;

use super::{
    authentication::short_secret,
    invalid::Invalid,
    numbers::{Count, Millis, Seconds},
    secret::Secret,
    web_address::is_web_address,
};

/// `[alerts]`: what operators are told without asking.
#[derive(Debug, Clone, PartialEq, SmartDefault, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Alerts {
    /// Whether there are any.
    #[default = true]
    pub enabled: bool,
    /// Milliseconds within which 95 % of the updates of a minute must be with their sockets.
    pub latency_ms: Millis<1000, 1>,
    /// The share of a minute's publishes, connects and requests at which the server must not fail.
    #[default = 0.95]
    pub success_rate: f64,
    /// The share of a limit (connections, bytes of the journal, …) beyond which it is told.
    #[default = 0.9]
    pub limit_share: f64,
    /// Whether runs that fail, or that wait for a person, are told.
    #[default = true]
    pub runs: bool,
    /// Seconds after which an alert that lasts is told again.
    pub repeat_after: Seconds<3_600_000, 1_000>,
    /// Seconds for which a figure must be good again before its alert is over.
    pub resolve_after: Seconds<10_000, 0>,
    /// Runs whose alerts are remembered, to say when they are over.
    pub max_runs: Count<1000, 1, 100_000>,
    /// Alerts about the runs of one project in a minute; each of its producers has a tenth of them to itself.
    pub max_per_minute: Count<60, 1, 100_000>,
    /// Alerts about runs in a minute that one producer tells, of whatever projects.
    pub max_per_producer: Count<600, 1, 1_000_000>,
    /// Alerts that are not wanted, by code or by what they are about (`run_failed`, `journal_bytes`).
    pub mute: Vec<String>,
    /// The address that alerts are posted to; empty for none. It may hold a secret itself, so it is not shown.
    pub webhook_url: Secret,
    /// The secret that posts are signed with.
    pub webhook_secret: Secret,
    /// Seconds that one post may take.
    pub webhook_timeout: Seconds<5_000, 100, 60_000>,
    /// Further tries of a post that failed.
    pub webhook_retries: Count<3, 0, 20>,
    /// Seconds before the first of them; each later one waits twice as long.
    pub webhook_backoff: Seconds<1_000, 1, 3_600_000>,
    /// Posts that may wait; those about one producer's runs have half of the places.
    pub webhook_queue: Count<256, 1, 65_536>,
    /// Seconds that waiting posts have when the server goes down.
    pub webhook_stop_timeout: Seconds<2_000, 0, 60_000>,
}

impl Alerts {
    /// The first key whose value can't be used.
    pub(super) fn invalid(&self) -> Option<Invalid> {
        let wrong = |key, message: String| Some(Invalid::new("alerts", key, message));
        for (key, share) in [
            ("success_rate", self.success_rate),
            ("limit_share", self.limit_share),
        ] {
            if !(share > 0.0 && share <= 1.0) {
                return wrong(
                    key,
                    format!("is {share}: it must be more than 0 and at most 1"),
                );
            }
        }
        if self.webhook_url.is_empty() {
            return None;
        }
        if !is_web_address(&self.webhook_url) {
            let message = "must begin with https:// (or http://), name a host, and hold no user name or password";
            return wrong("webhook_url", message.into());
        }
        if self.webhook_secret.is_empty() {
            let message = "is missing: posts to webhook_url are signed with it; set STOA_ALERTS__WEBHOOK_SECRET to 32 random bytes, \
                           as from `openssl rand -base64 48`";
            return wrong("webhook_secret", message.into());
        }
        short_secret(self.webhook_secret.as_bytes())
            .and_then(|short| wrong("webhook_secret", short))
    }
}
