//! The history of the stream as this node shows it, and the one that takes its place when the engine lost newest events.
//!
//! ```text
//!  follower ─▶ shown                       while the engine's history is the one that is known
//!  follower ─▶ next      readers ─▶ shown  from a loss on, until …
//!                                          … the hub, between two events, calls `rewind`: next becomes shown
//! ```
//!
//! So nobody sees a mixture: places, epochs and records that a reader is given are all of the history that ended, or all
//! of the one that goes on.

use std::sync::{
    Arc, Mutex, MutexGuard, PoisonError,
    atomic::{AtomicBool, AtomicU64, Ordering},
};

use arc_swap::ArcSwap;
use tokio::sync::watch::{Receiver, Sender, channel};

use crate::journal::{Seq, entry::InMemory, generations::Generations, tail::Tail};

/// One history of the stream.
#[derive(Debug)]
pub(super) struct Timeline {
    pub(super) generations: Arc<Generations>,
    /// The newest records, and the newest place.
    pub(super) tail: Arc<Tail>,
    /// The oldest kept place.
    first: AtomicU64,
}

impl Timeline {
    pub(super) fn new(generations: Arc<Generations>, tail: Arc<Tail>, first: Seq) -> Self {
        Self {
            generations,
            tail,
            first: AtomicU64::new(first),
        }
    }

    /// The oldest kept place.
    pub(super) fn first(&self) -> Seq {
        self.first.load(Ordering::Acquire)
    }

    /// The newest place that was read.
    pub(super) fn last(&self) -> Seq {
        self.tail.last()
    }
}

/// The history that is shown, and the next one.
#[derive(Debug)]
pub(super) struct Timelines {
    shown: ArcSwap<Timeline>,
    /// The one that the engine has, while another one is shown.
    next: Mutex<Option<Arc<Timeline>>>,
    /// Whether there is a next one, for those who ask while they look at the newest place: the lock may be held by one that
    /// tells it.
    is_superseded: AtomicBool,
    /// Counts the times that the next one was shown.
    rewinds: AtomicU64,
    /// Wakes the hub.
    grown: Sender<Seq>,
}

impl Timelines {
    pub(super) fn new(timeline: Timeline) -> Self {
        Self {
            grown: channel(timeline.last()).0,
            shown: ArcSwap::from_pointee(timeline),
            next: Mutex::default(),
            is_superseded: AtomicBool::new(false),
            rewinds: AtomicU64::new(0),
        }
    }

    /// The history that all readers see.
    pub(super) fn shown(&self) -> Arc<Timeline> {
        self.shown.load_full()
    }

    /// The history that the engine has.
    pub(super) fn newest(&self) -> Arc<Timeline> {
        self.lock().clone().unwrap_or_else(|| self.shown())
    }

    /// Adds the next records of the engine's history.
    pub(super) fn push(&self, records: Vec<InMemory>) {
        let next = self.lock();
        if let Some(next) = &*next {
            next.tail.push(records.into_iter());
            return;
        }
        let shown = self.shown();
        shown.tail.push(records.into_iter());
        // Sent under the lock, so that the place is never of another history.
        self.grown.send_replace(shown.last());
    }

    /// Notes that the engine has these generations, and everything that was read of it.
    pub(super) fn goes_on(&self, generations: Arc<Generations>, first: Seq) {
        let mut next = self.lock();
        match &mut *next {
            Some(next) => {
                *next = Arc::new(Timeline::new(generations, next.tail.clone(), first));
            }
            None => {
                let tail = self.shown().tail.clone();
                self.shown
                    .store(Arc::new(Timeline::new(generations, tail, first)));
            }
        }
    }

    /// Notes that the engine has another history, to be shown next.
    pub(super) fn supersede(&self, by: Timeline) {
        let mut next = self.lock();
        *next = Some(Arc::new(by));
        self.is_superseded.store(true, Ordering::Release);
        self.grown.send_modify(|_| {});
    }

    /// Whether the history that is shown has ended.
    pub(super) fn is_superseded(&self) -> bool {
        self.is_superseded.load(Ordering::Acquire)
    }

    /// Shows the history that the engine has.
    pub(super) fn rewind(&self) {
        let mut next = self.lock();
        if let Some(next) = next.take() {
            let last = next.last();
            self.shown.store(next);
            self.rewinds.fetch_add(1, Ordering::AcqRel);
            self.is_superseded.store(false, Ordering::Release);
            self.grown.send_replace(last);
        }
    }

    /// The times that readers were shown another history.
    pub(super) fn rewinds(&self) -> u64 {
        self.rewinds.load(Ordering::Acquire)
    }

    /// Notes the oldest place that the engine keeps.
    pub(super) fn set_first(&self, first: Seq) {
        self.newest().first.store(first, Ordering::Release);
    }

    /// A watch of the newest place that is shown. It also changes when another history is to be shown.
    pub(super) fn watch(&self) -> Receiver<Seq> {
        self.grown.subscribe()
    }

    fn lock(&self) -> MutexGuard<'_, Option<Arc<Timeline>>> {
        self.next.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
