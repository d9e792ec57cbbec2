//! Who comes in, and what they may do and see; in terms that know no transport.
//!
//! ```text
//!  credential ─▶ Tokens ─▶ Claims ─┐
//!               Blocklist ─────────┼─▶ Porter ─▶ Identity { role, sight } ─▶ every door asks it
//!               Rates ─────────────┘      └─▶ Sessions: ended in time, or by an admin
//!  Rules, Ledger (settles each event when it is accepted) ─▶ Sight
//! ```

mod audience;
mod blocklist;
mod credential;
mod filter;
mod identity;
mod page;
mod porter;
mod rates;
mod role;
mod room;
pub mod room_name;
mod rules;
mod sessions;
mod sight;
mod start_secret;
#[cfg(test)]
mod tests;
mod token;
mod verdicts;

pub use audience::Audience;
pub use blocklist::{Ban, Blocklist, BlocklistError, Revocation, Revoked, Who};
pub use credential::Credential;
pub use filter::{Filter, Subject};
pub use identity::Identity;
pub use page::PageOrigin;
pub use porter::{ADMIN_NEEDS, Porter, PorterOptions, Visitor};
pub use rates::{Meter, Rates, TooMuch};
pub use role::Role;
pub use room::{GENERAL, OBSERVERS, PRODUCERS, check_room, may_know_room, too_many_rooms};
pub use rules::{Rule, Rules};
pub use sessions::{Connection, Ending, Origin, Session, SessionGuard, Sessions};
pub use sight::{House, Sight};
pub use start_secret::StartSecret;
pub use token::{
    Claims, Denied, Grant, JwksState, KeyFile, NewApiKey, Signer, TokenId, TokenSetupError, Tokens,
    weak_secret_file,
};
