//! Msgpack as JSON, and JSON as msgpack: in one pass and without a tree.
//!
//! Two kinds of peers write msgpack: Node's emitters on the bus, and Socket.IO clients with `socket.io-msgpack-parser`. All that is
//! behind their doors is JSON with the binary values beside it.

mod fault;
mod reader;
mod writer;

pub(crate) use fault::Fault;
pub(crate) use reader::{Head, Limits, Reader, Written};
pub(crate) use writer::write_json;
