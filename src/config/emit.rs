//! `[emit]`: limits on emissions.

use serde::{Deserialize, Serialize};

use super::numbers::{Count, Millis};

/// `[emit]`: limits on emissions, beside those of `[content_filtering]` that hold for events too.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Emit {
    /// Bytes of one emission: its name, arguments and attachments, as they are sent; never more than `[server]
    /// max_client_buffer`.
    pub max_bytes: Count<{ 1 << 20 }, 256, { 1 << 30 }>,
    /// Rooms that one emission may name, those that it leaves out among them.
    pub max_rooms: Count<100, 1, 10_000>,
    /// Attachments of one emission; each is a packet of its own, and clients that poll take 16 at a time.
    pub max_attachments: Count<10, 0, 13>,
    /// Ids that are remembered of each sender's emissions that are not kept.
    pub max_ids: Count<4096, 1, { 1 << 20 }>,
    /// Bytes of emissions that may wait for the hub; a sender may have an eighth of it, and waits beyond that.
    pub max_in_flight: Count<{ 16 << 20 }, 65_536, { 1 << 32 }>,
    /// Milliseconds for which one that is not kept waits, and its sender with it, while an eighth of its clients have no
    /// room; a client is waited for once, until it has room again.
    pub patience_ms: Millis<1000, 0, 10_000>,
}
