//! The door for applications that emit through Redis or Valkey, with the emitters that they have: python-socketio and
//! Flask-SocketIO (`message_queue`), `@socket.io/redis-emitter` and those that write the same, the streams emitter.
//!
//! The decoders are pure functions: bytes in, a [`Message`] or a [`Refusal`] out.

mod depth;
pub mod entry;
mod message;
mod msgpack;
mod names;
pub mod node;
pub mod python;
mod refusal;

pub use message::{Broadcast, Message, MessageLimits, Operation};
pub use refusal::Refusal;
