//! The acts of an admin, by their names.

use strum::{EnumString, IntoStaticStr};

use super::argument::INCLUDE_SELF;

/// An act of an admin.
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
    /// → `{breakers}`.
    ListBreakers,
    /// `{part}` → `{closed}`.
    CloseBreaker,
    /// `{client_id | user, seconds?}` → `{clients}`.
    #[strum(serialize = "reconnect_client")]
    Reconnect,
    /// `{seconds?, stop?}` → the status.
    Drain,
    /// → `{ended}`.
    EndDrain,
    /// → `{state, since?, until?, clients, stops, alone, message?}`.
    DrainStatus,
}

impl Act {
    /// The act with this name on `/admin`.
    pub fn named(event: &str) -> Option<Self> {
        event.parse().ok()
    }

    /// The name on `/admin`.
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
            Self::CloseBreaker => &["part"],
            Self::Reconnect => &["client_id", "user", "seconds"],
            Self::Drain => &["seconds", "stop"],
            Self::ListBans
            | Self::ListRevocations
            | Self::ListBreakers
            | Self::EndDrain
            | Self::DrainStatus => &[],
        }
    }

    /// Whether the act goes to the audit log.
    pub(super) fn changes_something(self) -> bool {
        !matches!(
            self,
            Self::ListConnections
                | Self::ListBans
                | Self::ListRevocations
                | Self::ListBreakers
                | Self::DrainStatus
        )
    }
}
