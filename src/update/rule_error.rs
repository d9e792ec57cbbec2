//! The refusal of a rule.

use thiserror::Error;

use crate::config::RuleConfig;

/// A rule that can't be used.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{place}: [[transform.rules]] {key}: {message}")]
pub struct RuleError {
    /// The place of the rule in the configuration.
    pub place: String,
    /// The key of the rule.
    pub key: &'static str,
    /// The fault, and the allowed values.
    pub message: String,
}

/// The refusal of this key of a rule.
pub(super) fn wrong(config: &RuleConfig, key: &'static str, message: String) -> RuleError {
    RuleError {
        place: if config.place.is_empty() {
            "configuration".into()
        } else {
            config.place.clone()
        },
        key,
        message,
    }
}
