//! The express lane: the one way out of a connection, shared by the engine's own bytes and ready-made frames.
//!
//! ```text
//!  engine (handshake, CONNECT, pings) ─▶ Guard ─┐
//!                                               ├─▶ queue, counted in bytes ─▶ writer task ─▶ TCP
//!  hub, acks, replies (shared frames) ──────────┘
//! ```
//!
//! A session that began with polling has no WebSocket yet: its frames go through the engine until the upgrade is
//! complete. To keep the order across that change, and behind the engine's CONNECT packet, a *mark* is sent through the
//! engine's own queue: when the guard sees it come out, everything before it is out, and the frames that were held back
//! follow. The mark itself never reaches the client.
//!
//! The queue never blocks its callers: it says when it is full, and the hub then parks the client and catches it up
//! later. A client that takes nothing for too long, or that fills its queue with the answers to its own requests, is
//! killed: the guard's stream fails, the engine's own reader and writer end, and its disconnect handler runs.

mod answer;
mod asked;
mod direct;
mod end;
mod engine_way;
mod express;
mod heartbeat;
mod open;
mod parser;
mod places;
mod public;
mod pulse;
mod reading;
mod receipt;
mod reclaim;
mod sending;
mod succession;
#[cfg(test)]
mod tests;
mod upgrade;

pub use asked::Asked;
pub use express::{ExpressLane, LaneLimits, SessionId};
pub use open::Answered;
pub use upgrade::Upgrade;
