//! The urgency of an update.

use serde::{Deserialize, Serialize};
use strum::{EnumString, IntoStaticStr};

/// Urgency, most urgent first. `medium` is read as `normal`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[derive(EnumString, IntoStaticStr)]
#[strum(serialize_all = "lowercase")]
pub enum Priority {
    /// Never coalesced, never behind more than one flush of lower ones.
    Critical,
    /// Ends, failures, assignments.
    High,
    /// Most things.
    #[serde(alias = "medium")]
    #[strum(to_string = "normal", serialize = "medium")]
    Normal,
    /// Message text and other things that may wait.
    Low,
}

impl Priority {
    /// All of them, most urgent first.
    pub const ALL: [Self; 4] = [Self::Critical, Self::High, Self::Normal, Self::Low];

    /// The name on the wire.
    pub fn as_str(self) -> &'static str {
        self.into()
    }

    /// Reads the field of an event: a name in any case. `None` for anything else.
    pub(super) fn read(value: Option<&serde_json::Value>) -> Option<Self> {
        let name = value?.as_str()?.trim();
        Self::from_name(name).or_else(|| Self::from_name(&name.to_ascii_lowercase()))
    }

    /// Reads a name as producers write it; `None` for anything else.
    pub fn from_name(name: &str) -> Option<Self> {
        name.parse().ok()
    }
}
