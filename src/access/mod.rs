//! Identities and permissions: who may connect, and what each client may do and see. It knows no transport.
//!
//! ```text
//!  credential ─▶ Tokens ─▶ Claims ─┐
//!               Blocklist ─────────┼─▶ Authenticator ─▶ Identity { role, permissions } ─▶ every door asks it
//!               Rates ─────────────┘      └─▶ Sessions: ended in time, or by an admin
//!  Rules, Ledger (settles each event when it is accepted) ─▶ Permissions
//! ```

mod authenticator;
pub mod authn;
pub mod authz;
mod identity;
mod peer;
#[cfg(test)]
mod tests;

pub use authenticator::{ADMIN_NEEDS, Authenticator, AuthenticatorOptions, Ended, Ending, Wanted};
pub use identity::Identity;
pub use peer::Peer;
