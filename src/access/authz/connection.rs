//! A connection, as the list of sessions ends it.

use std::{fmt, sync::Arc};

use futures_util::future::BoxFuture;

use crate::error::Error;

/// A connection that can be ended.
pub trait Connection: fmt::Debug + Send + Sync + 'static {
    /// Tells the client why, and closes.
    fn end(&self, why: DisconnectReason);

    /// The transport that it shares with other connections of its client; none if it has one of its own.
    fn transport(&self) -> Option<usize> {
        None
    }

    /// Gets ready to be closed without a loss: answers what came, leaves the hub, and sends all that is queued. Returns when
    /// that is done, or has taken too long.
    fn make_ready(self: Arc<Self>) -> BoxFuture<'static, ()>;

    /// Closes the transport in the way after which clients connect again by themselves; `false` if it was closed before.
    fn hang_up(&self) -> bool;
}

/// The reason why the server ends a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DisconnectReason {
    /// The token has expired.
    Expired,
    /// The token was revoked.
    Revoked,
    /// The user, address or token was banned.
    Banned,
    /// An admin closed it.
    Disconnected,
}

impl DisconnectReason {
    /// The refusal that the client is sent.
    pub fn refusal(self) -> Error {
        match self {
            Self::Expired => Error::new(
                "token_expired",
                "your token is over; connect again with a fresh one, or send `authenticate` in time",
            ),
            Self::Revoked => Error::new("unauthorized", "your token was revoked"),
            Self::Banned => Error::new("banned", "you are kept out"),
            Self::Disconnected => Error::new("forbidden", "an admin closed your connection"),
        }
    }

    /// Whether the client may come back by itself: with a fresh token it is welcome.
    pub fn may_return(self) -> bool {
        self == Self::Expired
    }
}
