//! The namespace layer on socketioxide: connecting, the lifecycle, what clients ask for.
//!
//! ```text
//! upgrade ─▶ Guard ─▶ engine ─▶ connect (Hello, Identity) ─▶ Client ─▶ Inbox ─▶ events/*
//!                                                              └─▶ Lane ◀─ hub, answers
//! ```

mod actions;
mod adapter;
mod client;
mod connect;
mod events;
mod hello;
mod inbox;
mod lanes;
mod packets;
mod pending;
mod polling;
mod upgrade;
mod welcome;

pub use connect::{Kit, Options, start};
pub use hello::Hello;
pub use upgrade::{Door, DoorLimits, engine_door};
