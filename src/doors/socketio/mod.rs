//! The namespace layer on socketioxide: connections, their lifecycle, and the events that clients send.
//!
//! ```text
//! WebSocket ───────────────▶ websocket ┐
//! polling ──────────▶ engine ─▶ connect ┴▶ admission (Hello, Identity) ─▶ Client ─▶ Inbox ─▶ events/*
//!  └ upgrade ─▶ Guard ─▶┘                                                  └─▶ ExpressLane ◀─ hub, answers
//! ```

mod admin_ui;
mod admission;
mod application;
mod attachments;
mod client;
mod connect;
mod context;
mod door;
mod ending;
pub mod engine;
mod entrance;
mod events;
mod hands;
mod hello;
mod here;
mod inbox;
mod moving;
mod outlet;
mod recovery;
mod served;
mod way_back;
mod websocket;
mod welcome;
mod word;
mod work;

pub(crate) use connect::start;
pub use context::{DoorContext, Options};
pub(crate) use door::socketio_door;
pub use hello::Hello;
pub use here::RecoveryOptions;
