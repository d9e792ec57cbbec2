//! A place among what a client has open, as it is handed on.

use std::sync::Arc;

use super::quota::Slot;

/// A place among what a client has open behind a proxy, for as long as any clone of it is there; in the request's
/// extensions, so that a session which outlives its request keeps it.
#[derive(Debug, Clone)]
pub struct ConnectionSlot {
    /// Only its end matters.
    _slot: Arc<Slot>,
}

impl ConnectionSlot {
    /// Of this place.
    pub(super) fn new(slot: Slot) -> Self {
        Self {
            _slot: Arc::new(slot),
        }
    }
}
