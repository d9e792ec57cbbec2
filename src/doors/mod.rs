//! The doors: each translates between its own wire and the one way through the house.
//!
//! A door in makes bytes an [`Event`](crate::event::Event); a door out makes an update its own wire shape. No door owns
//! rooms, access rules, cursors or the policy of a queue.

pub mod admin;
pub mod http;
pub mod socketio;
