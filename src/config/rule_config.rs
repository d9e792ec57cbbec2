//! A row of `[[transform.rules]]`, as it is written.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// The longest window: timers must be able to hold it.
pub const MAX_WINDOW_MS: u64 = 86_400_000;

/// One `[[transform.rules]]`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RuleConfig {
    /// The events that match: a glob on their type, in which separators don't matter (`deploy.*`).
    #[serde(rename = "match")]
    pub matches: String,
    /// The Socket.IO event to send (a template).
    pub emit: String,
    /// The rooms (templates); the event's own when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rooms: Option<Vec<String>>,
    /// `critical`, `high`, `normal` or `low`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub priority: Option<String>,
    /// Updates with equal values of this template are coalesced within the window; never when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub coalesce_by: Option<String>,
    /// The window; `[transform] throttle_ms` when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub throttle_ms: Option<u64>,
    /// The animation; `none` when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub animation: Option<String>,
    /// The update's own fields (templates).
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub fields: BTreeMap<String, String>,
    /// An object of the event (a template) whose fields stand at the top of the update.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub spread: Option<String>,
    /// The update itself (a template): any value, with nothing beside it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub payload: Option<String>,
    /// Whether the fields that every update has stand in it; with `payload` they never do.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub envelope: Option<bool>,
    /// The place of the rule (`config.toml:41`), for messages about it.
    #[serde(skip)]
    pub place: String,
}
