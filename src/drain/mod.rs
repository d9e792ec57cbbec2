//! Sends clients elsewhere without a loss: all of a node that is taken out of service, or those of a room or a user.
//!
//! A client is moved by its own connection ([`Connection`](crate::access::authz::Connection)): what came from it is answered,
//! what is queued for it is sent, and then its transport is closed in the way after which clients connect again by themselves.
//! It goes on from its cursor or with its session, on whichever node takes it. Moves are spread over a time, so that the other
//! nodes are not run over.

mod everywhere;
mod metrics;
mod mover;
mod node;
mod status;

pub use everywhere::{Moved, Returning};
pub use metrics::{DrainMetrics, MoveCause};
pub use node::{Drain, DrainOptions};
pub use status::{DrainState, DrainStatus};
