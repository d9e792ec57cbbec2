//! Disconnects that could not be handed over and wait for a further try: a bounded number, each for a bounded time.

use std::{
    sync::atomic::{AtomicUsize, Ordering},
    time::Duration,
};

use super::metrics::BackendMetrics;

/// The pause before the first further try; each later one is twice as long.
pub(super) const FIRST_PAUSE: Duration = Duration::from_millis(250);
/// The longest pause.
pub(super) const LONGEST_PAUSE: Duration = Duration::from_secs(5);

/// The disconnects that wait.
#[derive(Debug)]
pub(super) struct Farewells {
    most: usize,
    waiting: AtomicUsize,
    metrics: BackendMetrics,
}

/// A disconnect that waits, until this is dropped.
#[derive(Debug)]
pub(super) struct Waits<'f>(&'f Farewells);

impl Farewells {
    /// Room for so many.
    pub(super) fn new(most: usize, metrics: BackendMetrics) -> Self {
        Self {
            most,
            waiting: AtomicUsize::new(0),
            metrics,
        }
    }

    /// A place among those that wait, if there is one.
    pub(super) fn wait(&self) -> Option<Waits<'_>> {
        let before = self.waiting.fetch_add(1, Ordering::Relaxed);
        self.metrics.disconnects_waiting.inc();
        let waits = Waits(self);
        (before < self.most).then_some(waits)
    }
}

impl Drop for Waits<'_> {
    fn drop(&mut self) {
        self.0.waiting.fetch_sub(1, Ordering::Relaxed);
        self.0.metrics.disconnects_waiting.dec();
    }
}
