//! The in-memory journal: bounded by count and age, gone with the process.

use std::{
    collections::{HashMap, VecDeque},
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use futures_util::future::{BoxFuture, ready};
use tokio::sync::watch;

use super::{Bounds, Epoch, Journal, JournalError, Outcome, Record, Seq};
use crate::event::Event;

/// How much is kept. Whatever exceeds either bound is trimmed, oldest first, as new events come.
#[derive(Debug, Clone, Copy)]
pub struct Retention {
    /// At most so many events.
    pub max_events: usize,
    /// None older than this.
    pub max_age: Duration,
}

/// A [`Journal`] in a ring of reference-counted records: a read clones pointers, never events.
#[derive(Debug)]
pub struct MemoryJournal {
    /// Appends come from every door, reads from the hub and from history requests. Held for a few pointer moves only.
    inner: Mutex<Inner>,
    /// Wakes the hub.
    grown: watch::Sender<Seq>,
    /// Minted at creation: cursors of an earlier process are recognised as foreign.
    epoch: Epoch,
    /// The bounds.
    retention: Retention,
}

#[derive(Debug)]
struct Inner {
    /// What is kept, oldest first, without holes.
    records: VecDeque<Arc<Record>>,
    /// Finds duplicates; holds exactly the ids of `records`.
    ids: HashMap<Arc<str>, Seq>,
    /// The place of the newest event ever appended.
    last: Seq,
    /// How far the live stream has read.
    released: Seq,
}

impl MemoryJournal {
    /// An empty journal.
    pub fn new(retention: Retention) -> Self {
        Self {
            inner: Mutex::new(Inner {
                records: VecDeque::new(),
                ids: HashMap::new(),
                last: 0,
                released: 0,
            }),
            grown: watch::channel(0).0,
            epoch: Epoch::mint(),
            retention,
        }
    }

    fn append_now(&self, events: Vec<Event>) -> Vec<Outcome> {
        let now = Instant::now();
        // Before the lock is taken: it is work.
        let weights: Vec<usize> = events.iter().map(Event::weight).collect();
        let mut inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        let outcomes = events
            .into_iter()
            .zip(weights)
            .map(|(event, weight)| {
                if let Some(&seq) = inner.ids.get(&event.id) {
                    return Outcome::Duplicate(seq);
                }
                inner.last += 1;
                let seq = inner.last;
                inner.ids.insert(event.id.clone(), seq);
                inner.records.push_back(Arc::new(Record {
                    seq,
                    weight,
                    event: Arc::new(event),
                    accepted: now,
                }));
                Outcome::Stored(seq)
            })
            .collect();
        inner.trim(self.retention, now);
        // Told under the lock, so that the watched place never goes backwards.
        self.grown.send_replace(inner.last);
        outcomes
    }
}

impl Inner {
    fn trim(&mut self, retention: Retention, now: Instant) {
        while let Some(oldest) = self.records.front() {
            let too_many = self.records.len() > retention.max_events;
            let too_old = now.duration_since(oldest.accepted) > retention.max_age;
            if !(too_many || too_old) || oldest.seq > self.released {
                break;
            }
            if let Some(gone) = self.records.pop_front() {
                self.ids.remove(&gone.event.id);
            }
        }
    }
}

impl Journal for MemoryJournal {
    fn epoch(&self) -> Epoch {
        self.epoch
    }

    fn append(&self, events: Vec<Event>) -> BoxFuture<'_, Result<Vec<Outcome>, JournalError>> {
        Box::pin(ready(Ok(self.append_now(events))))
    }

    fn read(
        &self,
        after: Seq,
        limit: usize,
    ) -> BoxFuture<'_, Result<Vec<Arc<Record>>, JournalError>> {
        let inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        let first = inner.records.front().map_or(inner.last + 1, |r| r.seq);
        let skip = usize::try_from((after + 1).saturating_sub(first)).unwrap_or(usize::MAX);
        let records = inner
            .records
            .iter()
            .skip(skip)
            .take(limit)
            .cloned()
            .collect();
        Box::pin(ready(Ok(records)))
    }

    fn release(&self, read: Seq) {
        let mut inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        inner.released = read;
        inner.trim(self.retention, Instant::now());
    }

    fn bounds(&self) -> Bounds {
        let inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        Bounds {
            first: inner.records.front().map_or(inner.last + 1, |r| r.seq),
            last: inner.last,
        }
    }

    fn watch(&self) -> watch::Receiver<Seq> {
        self.grown.subscribe()
    }
}
