//! The slots that a session holds, each of which counts it somewhere.

use crate::net::{ConnectionSlot, Slot};

/// The slots that a session holds.
#[derive(Debug, Default)]
pub struct Counted {
    /// The slot among sessions that joined no namespace yet; returned when the session joins one.
    pub pending: Option<Slot>,
    /// The slot among the connections that its address has open behind a proxy.
    pub presence: Option<ConnectionSlot>,
}
