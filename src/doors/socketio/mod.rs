//! The namespace layer on socketioxide: connecting, the lifecycle, what clients ask for.
//!
//! ```text
//! upgrade ─▶ Guard ─▶ engine ─▶ connect (Hello, Identity) ─▶ Client ─▶ Inbox ─▶ events/*
//!                                                              └─▶ ExpressLane ◀─ hub, answers
//! ```

mod actions;
mod client;
mod connect;
pub mod engine;
mod events;
mod hello;
mod inbox;
mod welcome;

pub use connect::{DoorContext, Options, start};
pub use hello::Hello;
