//! Everything that tames the engine: the guard around an upgraded connection, each client's queue with its writer, and
//! the mends for the engine's faults. The table of these is in `docs/architecture.md`, with a test for each in
//! `tests/engine/`.

pub(super) mod adapter;
mod batch;
mod client_packet;
mod close_reason;
mod counted;
pub(super) mod door;
pub mod frame;
mod gate;
mod guard;
mod incoming;
mod lane;
pub(super) mod lanes;
mod message;
mod msgpack;
mod packet;
mod packets;
mod pending;
mod polling;
mod probe;
mod refusal;
mod screen;
mod send_list;
pub(super) mod senders;
mod source;
mod successor;
mod typed;
mod upgrade;
mod writer;
pub(super) use client_packet::{ClientPacket, packets};
pub use close_reason::CloseReason;
pub use counted::Counted;
pub use door::{Door, DoorLimits};
pub use frame::Frame;
pub use gate::{Engine, NoEngine};
pub use guard::Guard;
pub use incoming::Bounds;
pub use lane::{Answered, Asked, ExpressLane, LaneLimits, SessionId, Upgrade};
pub use message::Message;
pub use probe::{Probed, probe};
pub use refusal::REFUSAL;
pub use screen::{Attachments, NOT_JSON, Passed, Speech, UNREADABLE};
pub(super) use source::Source;
pub(super) use successor::Successor;
pub(super) use upgrade::engine_door;
