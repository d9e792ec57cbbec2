//! Clients with `socket.io-msgpack-parser` (in Python `serializer="msgpack"`): each packet is one binary message with a msgpack map
//! `{type, data, nsp, id}` in place of a text and its attachments.
//!
//! A client shows that it is one by its first CONNECT, which is binary. From then on its messages are translated as they are
//! read, ahead of the screen (`read.rs`), and what it gets as it is written (`write.rs`), or fetched by a poll (`poll.rs`). All in
//! between, queues too, has Socket.IO's usual packets, so a client with the parser costs others nothing.

mod attached;
mod poll;
mod read;
mod write;

pub(super) use attached::Attached;
pub(super) use poll::packed_poll;
pub(super) use read::{PacketBounds, Unread, unpack};
pub(super) use write::{is_plain, pack};
