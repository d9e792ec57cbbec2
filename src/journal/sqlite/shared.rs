//! State that the writer and the journal's users share.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError, atomic::AtomicU64},
    time::{Duration, Instant},
};

use tokio::sync::watch::{Sender, channel};

use super::{damage::Damage, watch::Lost};
use crate::{
    breaker::Breaker,
    journal::{Bounds, Seq, queue::Queue, tail::Tail},
    observe::JournalMetrics,
};

/// State that the writer and the journal's users share.
#[derive(Debug)]
pub(super) struct Shared {
    /// The oldest kept place.
    pub(super) first: AtomicU64,
    /// The newest kept place.
    pub(super) last: AtomicU64,
    /// The last event that the live stream has read: nothing newer is trimmed.
    pub(super) released: AtomicU64,
    /// The place of the newest checkpoint: the state is rebuilt from there, so nothing newer is trimmed.
    pub(super) checkpoint: AtomicU64,
    /// The newest records.
    pub(super) tail: Tail,
    state: Mutex<WriterState>,
    /// Counts events that can't be read.
    pub(super) damage: Arc<Damage>,
    /// Wakes the hub.
    pub(super) grown: Sender<Seq>,
    pub(super) metrics: JournalMetrics,
    /// Opens when nothing can be written; the writer makes its probes.
    pub(super) breaker: Arc<Breaker>,
}

/// The writer's health.
#[derive(Debug, Default)]
struct WriterState {
    /// The reason why no event can be written now.
    trouble: Option<String>,
    /// The way in which the file was lost, if it was.
    lost: Option<Lost>,
    /// The time from which the events wait that are being written.
    writing: Option<Instant>,
}

/// The time after which a write counts as stalled: the disk is slow or another program holds the file.
const STALLED: Duration = Duration::from_secs(1);

impl Shared {
    pub(super) fn new(
        bounds: Bounds,
        checkpoint: Seq,
        tail: Tail,
        damage: Arc<Damage>,
        metrics: JournalMetrics,
        breaker: Arc<Breaker>,
    ) -> Self {
        Self {
            first: AtomicU64::new(bounds.first),
            last: AtomicU64::new(bounds.last),
            released: AtomicU64::new(0),
            checkpoint: AtomicU64::new(checkpoint),
            tail,
            state: Mutex::default(),
            damage,
            grown: channel(bounds.last).0,
            metrics,
            breaker,
        }
    }

    fn state(&self) -> MutexGuard<'_, WriterState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Sets the reason why no event can be written; returns the one before.
    pub(super) fn set_trouble(&self, trouble: Option<String>) -> Option<String> {
        std::mem::replace(&mut self.state().trouble, trouble)
    }

    pub(super) fn is_ill(&self) -> bool {
        self.state().trouble.is_some()
    }

    pub(super) fn lost(&self) -> Option<Lost> {
        self.state().lost
    }

    pub(super) fn set_lost(&self, lost: Option<Lost>) {
        self.state().lost = lost;
    }

    /// Notes that the writer begins to write, or has ended.
    pub(super) fn set_writing(&self, writes: bool) {
        self.state().writing = writes.then(Instant::now);
    }

    /// Sets the gauges of the held bytes.
    pub(super) fn gauge(&self, queue: &Queue) {
        let number = |bytes| i64::try_from(bytes).unwrap_or(i64::MAX);
        self.metrics.tail_bytes.set(number(self.tail.bytes()));
        self.metrics.queue_bytes.set(number(queue.bytes()));
    }

    /// The reason why no event can be kept now.
    pub(super) fn trouble(&self) -> Option<String> {
        let state = self.state();
        if let Some(lost) = state.lost {
            return Some(lost.reason().into());
        }
        if state.trouble.is_some() {
            return state.trouble.clone();
        }
        if let Some(refused) = self.breaker.trouble() {
            return Some(refused.to_string());
        }
        // All queued events wait for those that are being written.
        let waited = state.writing?.elapsed();
        (waited >= STALLED).then(|| {
            format!(
                "nothing could be written for {} s: another program holds the file, or the disk stalls",
                waited.as_secs()
            )
        })
    }
}
