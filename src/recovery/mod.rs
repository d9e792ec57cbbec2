//! Sessions that a client can come back to: what Socket.IO calls the recovery of a connection's state.
//!
//! A client is told a secret, its [`Pid`], when it is let in, and shows it when it comes again. [`Sessions`] holds what was
//! settled for it on one namespace: whose session it is, its rooms, its filter, its place, and what the application's
//! service had settled. Nothing of the stream is here, since what was
//! missed is in the journal. The sessions of clients whose events carry their places are kept in the journal's file by
//! [`keep`], so that they outlive the process; others end with it. Where nodes share a
//! journal, a node claims a kept session that another one holds when its client comes there.

mod claims;
mod keep;
mod metrics;
mod pid;
mod session;
mod table;

pub use claims::ClaimLimits;
pub use keep::{UNWRITTEN, keep, restore};
pub use metrics::RecoveryMetrics;
pub use pid::Pid;
pub use session::Session;
pub use table::{SessionLimits, Sessions};
