//! A bounded number of those that wait.

use std::sync::atomic::{AtomicUsize, Ordering};

use prometheus_client::metrics::gauge::Gauge;

/// A bounded number of waiting calls, which a gauge shows.
#[derive(Debug)]
pub(super) struct Waiting {
    most: usize,
    count: AtomicUsize,
    shown: Gauge,
}

/// One that waits, until this is dropped.
#[derive(Debug)]
pub(super) struct Waits<'w>(&'w Waiting);

impl Waiting {
    /// Room for so many.
    pub(super) fn new(most: usize, shown: Gauge) -> Self {
        Self {
            most,
            count: AtomicUsize::new(0),
            shown,
        }
    }

    /// A place among those that wait, if there is one.
    pub(super) fn begin(&self) -> Option<Waits<'_>> {
        let before = self.count.fetch_add(1, Ordering::Relaxed);
        self.shown.inc();
        let waits = Waits(self);
        (before < self.most).then_some(waits)
    }
}

impl Drop for Waits<'_> {
    fn drop(&mut self) {
        self.0.count.fetch_sub(1, Ordering::Relaxed);
        self.0.shown.dec();
    }
}
