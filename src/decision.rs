//! An admin's decisions as plain data: who is kept out, which tokens are not valid any more, and what keeps both.

use std::{fmt, net::IpAddr};

use futures_util::future::BoxFuture;
use serde::{Deserialize, Serialize};
use tokio::sync::watch;

use crate::error::Error;

/// The one whom a ban is about.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Who {
    /// All connections of a user.
    User(String),
    /// All connections from an address.
    Address(IpAddr),
    /// All connections with a token that names no user.
    #[serde(rename = "token_id")]
    Token(String),
}

/// Somebody who is kept out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ban {
    /// The one who is kept out.
    #[serde(flatten)]
    pub who: Who,
    /// The end in seconds since 1970; `None` until somebody lifts the ban.
    pub until: Option<u64>,
    /// The reason, for people.
    pub reason: String,
}

/// Tokens that are not valid any more.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Revocation {
    /// The tokens.
    #[serde(flatten)]
    pub what: Revoked,
    /// The time at which it was said, in seconds since 1970.
    pub at: u64,
}

/// The tokens that a revocation is about.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Revoked {
    /// All of a user's that were made up to then, or don't say when.
    User(String),
    /// This one.
    Token(String),
}

/// All decisions that hold.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Decisions {
    /// Those who are kept out.
    pub bans: Vec<Ban>,
    /// Tokens that are not valid any more.
    pub revocations: Vec<Revocation>,
}

/// One decision.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Decision {
    /// Somebody is kept out.
    Ban(Ban),
    /// Somebody isn't kept out any more.
    Lift(Who),
    /// Tokens are not valid any more.
    Revoke(Revocation),
    /// Tokens are as good as they were.
    Forgive(Revoked),
}

impl Decision {
    /// The bytes of memory that it holds.
    pub fn held(&self) -> usize {
        let who = |who: &Who| match who {
            Who::User(name) | Who::Token(name) => name.len(),
            Who::Address(_) => 0,
        };
        let what = |what: &Revoked| match what {
            Revoked::User(name) | Revoked::Token(name) => name.len(),
        };
        let texts = match self {
            Self::Ban(ban) => who(&ban.who) + ban.reason.len(),
            Self::Lift(lifted) => who(lifted),
            Self::Revoke(revocation) => what(&revocation.what),
            Self::Forgive(forgiven) => what(forgiven),
        };
        size_of::<Self>() + texts
    }
}

/// The place where decisions outlive the server.
pub trait DecisionKeeper: fmt::Debug + Send + Sync {
    /// Keeps all of these or none of them, in the order of the calls, and answers when neither the end of the process nor
    /// that of the power takes them. They are kept as well when nobody waits for the answer.
    fn keep(&self, decisions: Vec<Decision>) -> BoxFuture<'static, Result<(), Error>>;

    /// All decisions that hold, whenever another node has made one; none where no other node makes any.
    fn made_elsewhere(&self) -> Option<watch::Receiver<Decisions>> {
        None
    }
}
