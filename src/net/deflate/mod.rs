//! Compression of WebSocket messages (permessage-deflate, RFC 7692), always without context takeover.
//!
//! A context would make the bytes of a message depend on all that one client got before. Without it a message is
//! compressed once, and the same bytes go to every client that takes them. It also keeps what one message holds out of
//! the size of the next.
//!
//! A message stays as it is in all queues. The writer that is first to write it to a client that takes it compressed
//! has it compressed; all others share the result. So neither the hub nor a door pays for it, and nobody at all while
//! no client wants it.

mod codec;
mod compression;
mod inbound;
mod inflation;
mod limits;
mod offer;
#[cfg(test)]
mod tests;

pub use codec::{Broken, deflate, inflate};
pub use compression::Compression;
pub use inbound::Inbound;
pub use inflation::{Inflation, InflationError};
pub use limits::CompressionLimits;
pub use offer::{Declined, agree};
