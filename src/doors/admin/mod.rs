//! What an admin can do: see who is connected, end connections, keep somebody out, make tokens invalid.
//!
//! The same over HTTP and on `/admin`: both doors read an [`Act`]'s name and hand over its argument. Each act that changes
//! something is an audit line in the log (target `stoa::audit`) and counted, whether it succeeded or not.

mod act;
mod actor;
mod argument;
mod audit;
mod perform;

pub use act::Act;
pub use actor::Actor;
