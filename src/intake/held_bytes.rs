//! The bytes of events that wait for the hub.

use std::sync::atomic::{AtomicUsize, Ordering};

/// Events that wait for the hub; they count until they are dropped, also when their producer hangs up.
pub(super) struct HeldBytes<'w> {
    bytes: &'w AtomicUsize,
    held: usize,
}

impl<'w> HeldBytes<'w> {
    /// None when too many bytes wait already.
    pub(super) fn new(bytes: &'w AtomicUsize, held: usize, most: usize) -> Option<Self> {
        let before = bytes.fetch_add(held, Ordering::AcqRel);
        let place = Self { bytes, held };
        (before == 0 || before + held <= most).then_some(place)
    }
}

impl Drop for HeldBytes<'_> {
    fn drop(&mut self) {
        self.bytes.fetch_sub(self.held, Ordering::AcqRel);
    }
}
