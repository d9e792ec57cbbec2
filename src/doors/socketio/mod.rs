//! The namespace layer on socketioxide: connections, their lifecycle, and the events that clients send.
//!
//! ```text
//! upgrade ─▶ Guard ─▶ engine ─▶ connect (Hello, Identity) ─▶ Client ─▶ Inbox ─▶ events/*
//!                                                              └─▶ ExpressLane ◀─ hub, answers
//! ```

mod attachments;
mod client;
mod connect;
mod context;
pub mod engine;
mod events;
mod hands;
mod hello;
mod inbox;
mod outlet;
mod welcome;
mod work;

pub(crate) use connect::start;
pub use context::{DoorContext, Options};
pub use hello::Hello;
