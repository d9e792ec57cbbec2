//! Roles and what they allow.

use serde::{Deserialize, Serialize};
use strum::{EnumString, IntoStaticStr, VariantArray};

/// The role of a client.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[derive(EnumString, IntoStaticStr, VariantArray)]
#[strum(serialize_all = "lowercase")]
pub enum Role {
    /// Observes.
    #[default]
    Observer,
    /// Observes and publishes.
    Producer,
    /// Observes, acts on agents and sees the statistics.
    Operator,
    /// Does everything.
    Admin,
}

impl Role {
    /// All roles.
    pub const ALL: &'static [Self] = Self::VARIANTS;

    /// The name on the wire.
    pub fn as_str(self) -> &'static str {
        self.into()
    }

    /// Reads a name.
    pub fn from_name(name: &str) -> Option<Self> {
        name.parse().ok()
    }

    /// May publish events.
    pub fn may_publish(self) -> bool {
        matches!(self, Self::Producer | Self::Admin)
    }

    /// May send actions to agents.
    pub fn may_act(self) -> bool {
        matches!(self, Self::Operator | Self::Admin)
    }

    /// May see statistics and rooms.
    pub fn may_see_stats(self) -> bool {
        matches!(self, Self::Operator | Self::Admin)
    }

    /// May list the connections of others, end them, and ban their users.
    pub fn may_administer(self) -> bool {
        self == Self::Admin
    }
}
