//! The acts of an admin: list connections, end them, send clients elsewhere, ban users and addresses, revoke tokens.
//!
//! HTTP and `/admin` offer the same acts: both doors read an [`Act`]'s name and pass on its argument. Each act that
//! changes something is an audit line in the log (target `stoa::audit`) and counted, whether it succeeded or not.

mod act;
mod actor;
mod argument;
mod audit;
mod controls;
mod perform;

pub use act::Act;
pub use actor::Actor;
pub(in crate::doors) use audit::audit;
pub use controls::Controls;
