//! A connection's slot behind a proxy, as it is handed on.

use std::sync::Arc;

use super::quota::Slot;

/// A slot among the connections that a client has open behind a proxy. It is held as long as any clone of it lives, and
/// kept in the request's extensions, so that a session which outlives its request keeps it.
#[derive(Debug, Clone)]
pub struct ConnectionSlot {
    /// Held only to be dropped.
    _slot: Arc<Slot>,
}

impl ConnectionSlot {
    pub(super) fn new(slot: Slot) -> Self {
        Self {
            _slot: Arc::new(slot),
        }
    }
}
