//! Bytes in and out: the listener, the guard around an upgraded connection, and the express lane.

pub mod frame;
mod gate;
mod guard;
mod kill;
mod lane;
mod listener;

pub use frame::Frame;
pub use gate::Engine;
pub use guard::Guard;
pub use kill::Kill;
pub(crate) use lane::Waiting;
pub use lane::{Lane, LaneLimits, Tag, Taken};
pub use listener::{Hangup, Peer, Server};
