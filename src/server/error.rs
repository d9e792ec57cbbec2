//! The reasons why the server does not start, or goes down by itself.

use thiserror::Error;

use super::{essential::Ended, former_list::FormerListError};
use crate::{
    access::authn::TokenSetupError,
    engine::Fault,
    journal::{JournalError, OpenError},
    net::{SetupError, TlsError},
    update::RuleError,
};

/// The reason why the server did not start, or went down by itself.
#[derive(Debug, Error)]
pub enum ServeError {
    /// The address can't be listened on.
    #[error("can't listen on {address}: {reason}")]
    Listen {
        /// The configured address.
        address: String,
        /// The reason, with what to do.
        reason: String,
    },
    /// The settings would let everybody in, and nobody said that this is meant.
    #[error("{0}")]
    Unsafe(String),
    /// The certificate can't be served.
    #[error("{0}")]
    Tls(#[from] TlsError),
    /// Encryption can't be set up.
    #[error("{0}")]
    Setup(#[from] SetupError),
    /// A transformation rule can't be used.
    #[error("{0}")]
    Rule(#[from] RuleError),
    /// The keys that tokens are checked with can't be used.
    #[error("{0}")]
    Tokens(#[from] TokenSetupError),
    /// No client could get in.
    #[error(
        "[authentication] required is true, but nothing is set that a token could be checked with: set secret, secret_file, public_key_file, jwks_url or api_keys"
    )]
    NoKeys,
    /// An earlier version's list of bans can't be taken over.
    #[error("{0}")]
    FormerList(#[from] FormerListError),
    /// A list of bans is named that nothing keeps.
    #[error(
        "[access] file names a list of bans, but these are kept in the journal's file, and a journal in memory keeps none over a restart: keep events in a file ([journal] kind = \"sqlite\"), or take [access] file out of the settings"
    )]
    NothingKeepsBans,
    /// The journal's file can't be used.
    #[error("{0}")]
    Open(#[from] OpenError),
    /// The journal's engine can't be used.
    #[error("the journal's engine ([journal] url) can't be used: {0}")]
    Engine(#[from] Fault),
    /// The clock is wrong, so events can't be dated.
    #[error(
        "the clock of this machine stands before 1970: set it; events, tokens and answers are dated by it"
    )]
    Clock,
    /// The journal can't be read.
    #[error("{0}")]
    Journal(#[from] JournalError),
    /// Alerts can't be posted.
    #[error("[alerts] webhook_url {0}")]
    Webhook(String),
    /// The bus can't be set up.
    #[error("[bus]: {0}")]
    Bus(String),
    /// The application's service can't be reached as it is configured.
    #[error("[backend] url {0}")]
    Backend(String),
    /// An essential task has ended.
    #[error("{0}")]
    Ended(#[from] Ended),
}
