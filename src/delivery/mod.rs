//! Delivery as plain data, without input or output: the updates that are sent, and those that are still unsent.
//!
//! A [`Cursor`] names all that was sent up to a place in the stream; [`Pending`] is the set of updates that were read
//! and not yet sent; an [`Outgoing`] is an update with its wire shapes, each made once; an outbox is the queue of one
//! observer.

mod codec;
mod cursor;
pub(crate) mod missed;
pub(crate) mod moved;
mod outbox;
mod outgoing;
mod pending;
pub(crate) mod position;
mod run;
mod segment_position;
#[cfg(test)]
mod tests;
mod wire_message;
pub use codec::CursorError;
pub use cursor::Cursor;
pub use outbox::Reclaimed;
pub(crate) use outbox::{Outbox, Places, QueuedMessage};
pub use outgoing::{Form, Outgoing, Shape};
pub use pending::{Pending, Run};
pub use run::{UpdateRun, Updates};
pub use segment_position::SegmentPosition;
pub use wire_message::{BatchOrder, Tag, Trail, WireMessage};
