//! Bytes in and out: the listener, the guard around an upgraded connection, and the express lane.

pub mod frame;
mod guard;
mod lane;
mod listener;

pub use frame::Frame;
pub use guard::Guard;
pub use lane::{Engine, Kill, Lane, LaneLimits};
pub use listener::{Hangup, Peer, Server};
