//! The doors: each translates between its own wire format and the one path from intake to update.
//!
//! A door in turns bytes into an [`Event`](crate::event::Event); a door out turns an update into its own wire format.
//! No door owns rooms, access rules, cursors or the policy of a queue.

pub(crate) mod actions;
pub mod admin;
mod argument;
pub(crate) mod backend;
pub(crate) mod batching;
pub mod bus;
pub(crate) mod depths;
pub mod figures;
mod handshake;
pub mod http;
pub(crate) mod inputs;
pub(crate) mod nodes;
pub(crate) mod operations;
mod peer;
mod query;
pub(crate) mod queue;
pub mod socketio;
pub(crate) mod sse;
pub mod websocket;
