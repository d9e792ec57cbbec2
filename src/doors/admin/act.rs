//! The things that an admin can do, by their names.

use strum::{EnumString, IntoStaticStr};

use super::argument::INCLUDE_SELF;

/// One thing that an admin can do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, EnumString, IntoStaticStr)]
#[strum(serialize_all = "snake_case")]
pub enum Act {
    /// `{user?, address?, limit?}` → `{connections, total}`.
    ListConnections,
    /// `{client_id}` → `{ended}`.
    #[strum(serialize = "disconnect_client")]
    Disconnect,
    /// `{user | address, seconds?, reason?, include_self?}` → `{ended}`.
    Ban,
    /// `{user | address | token_id}` → `{lifted}`.
    Unban,
    /// → `{bans}`.
    ListBans,
    /// `{user | token | token_id}` → `{ended}`.
    Revoke,
    /// `{user | token | token_id}` → `{lifted}`.
    Unrevoke,
    /// → `{revocations}`.
    ListRevocations,
}

impl Act {
    /// The act of this name, as `/admin` calls it.
    pub fn named(event: &str) -> Option<Self> {
        event.parse().ok()
    }

    /// As `/admin` calls it.
    pub(super) fn name(self) -> &'static str {
        self.into()
    }

    /// The keys that its argument may have.
    pub(super) fn keys(self) -> &'static [&'static str] {
        match self {
            Self::ListConnections => &["user", "address", "limit"],
            Self::Disconnect => &["client_id"],
            Self::Ban => &["user", "address", "seconds", "reason", INCLUDE_SELF],
            Self::Unban => &["user", "address", "token_id"],
            Self::Revoke | Self::Unrevoke => &["user", "token_id", "token"],
            Self::ListBans | Self::ListRevocations => &[],
        }
    }

    /// Whether it is one for the audit.
    pub(super) fn changes_something(self) -> bool {
        !matches!(
            self,
            Self::ListConnections | Self::ListBans | Self::ListRevocations
        )
    }
}
