//! Who comes in, and what they may do and see; in terms that know no transport.
//!
//! ```text
//!  credential ─▶ Tokens ─▶ Claims ─┐
//!               Blocklist ─────────┼─▶ Porter ─▶ Identity { role, permissions } ─▶ every door asks it
//!               Rates ─────────────┘      └─▶ Sessions: ended in time, or by an admin
//!  Rules, Ledger (settles each event when it is accepted) ─▶ Permissions
//! ```

pub mod authn;
pub mod authz;
mod identity;
mod porter;
#[cfg(test)]
mod tests;

pub use identity::Identity;
pub use porter::{ADMIN_NEEDS, Porter, PorterOptions, Visitor};
