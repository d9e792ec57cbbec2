//! Bytes in and out: the listener, the guard around an upgraded connection, and the express lane.

pub mod frame;
mod gate;
mod guard;
mod incoming;
mod kill;
mod lane;
mod listener;

pub use frame::Frame;
pub use gate::Engine;
pub use guard::Guard;
pub use incoming::Bounds;
pub use kill::Kill;
pub use lane::{Lane, LaneLimits, Stay};
pub use listener::{Hangup, Peer, Server};
