//! The in-memory journal: bounded by count, age and bytes, gone with the process.

use std::{
    collections::{HashMap, VecDeque},
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use futures_util::future::{BoxFuture, ready};
use tokio::sync::watch;

use super::{
    Appending, Batch, Bounds, Entry, Epoch, Journal, JournalError, Outcome, Seq, entry::InMemory,
};
use crate::observe::JournalMetrics;

/// The bounds on kept events. The journal trims the oldest as new events come, if one of the bounds is exceeded.
#[derive(Debug, Clone, Copy)]
pub struct Retention {
    /// The most events.
    pub max_events: usize,
    /// The greatest age.
    pub max_age: Duration,
    /// The most bytes: of the file, or of the memory of a journal without one.
    pub max_bytes: u64,
}

/// A [`Journal`] in a ring of records: a read clones pointers, and parses expensive events.
#[derive(Debug)]
pub struct MemoryJournal {
    /// The doors append, the hub and history requests read. The lock is held for a few pointer moves only.
    inner: Mutex<Inner>,
    /// Wakes the hub.
    grown: watch::Sender<Seq>,
    /// Minted at creation, so that cursors of an earlier process are recognised as foreign.
    epoch: Epoch,
    /// The bounds.
    retention: Retention,
    /// Counts trimmed events.
    metrics: JournalMetrics,
}

#[derive(Debug)]
struct Inner {
    /// The kept records, oldest first and without holes, each with its name.
    records: VecDeque<(Name, InMemory)>,
    /// The place and the hash of the content of each name, to find duplicates. It has exactly the names of `records`.
    ids: HashMap<Name, (Seq, u64)>,
    /// About how many bytes the records hold.
    bytes: usize,
    /// The place of the newest event ever appended.
    last: Seq,
    /// The last place that the live stream has read.
    released: Seq,
}

/// The name of an event: its producer, and the id that the producer gave it.
type Name = (Arc<str>, Arc<str>);

/// The number of trimmed events, by the bound that was exceeded.
type Trimmed = [(&'static str, u64); 3];

/// Bytes that an id costs in memory beside its record.
const ID_BYTES: usize = 96;

impl MemoryJournal {
    /// An empty journal.
    pub fn new(retention: Retention) -> Self {
        Self {
            inner: Mutex::new(Inner {
                records: VecDeque::new(),
                ids: HashMap::new(),
                bytes: 0,
                last: 0,
                released: 0,
            }),
            grown: watch::channel(0).0,
            epoch: Epoch::mint(),
            retention,
            metrics: JournalMetrics::default(),
        }
    }

    fn max_bytes(&self) -> usize {
        usize::try_from(self.retention.max_bytes).unwrap_or(usize::MAX)
    }

    fn append_now(&self, entries: Vec<Entry>) -> Result<Vec<Outcome>, JournalError> {
        let now = Instant::now();
        let mut inner = self.lock();
        // Events that the live stream has not read can't be trimmed; all others are trimmed as far as necessary.
        if inner.is_unread() && inner.bytes > self.max_bytes() {
            self.metrics.overloaded.inc();
            return Err(JournalError::Overloaded);
        }
        let outcomes = entries
            .into_iter()
            .map(|entry| match inner.find(&entry) {
                None => Outcome::Stored(inner.keep(&entry, now)),
                Some((seq, content)) if content == entry.content => Outcome::Duplicate(seq),
                Some(_) => {
                    let renamed = entry.renamed();
                    match inner.find(&renamed) {
                        None => Outcome::Conflict(inner.keep(&renamed, now)),
                        Some((seq, _)) => Outcome::Duplicate(seq),
                    }
                }
            })
            .collect();
        let trimmed = self.trim(&mut inner, now);
        // Sent under the lock, so that the watched place never goes backwards.
        self.grown.send_replace(inner.last);
        drop(inner);
        self.count(trimmed);
        Ok(outcomes)
    }

    /// Trims events that exceed the bounds; returns their numbers, to be counted without the lock.
    fn trim(&self, inner: &mut Inner, now: Instant) -> Trimmed {
        let mut trimmed = [("count", 0), ("age", 0), ("bytes", 0)];
        while let Some((_, oldest)) = inner.records.front() {
            let age = now.saturating_duration_since(oldest.accepted);
            let bound = if inner.records.len() > self.retention.max_events {
                0
            } else if age > self.retention.max_age {
                1
            } else if inner.bytes > self.max_bytes() {
                2
            } else {
                break;
            };
            if oldest.seq > inner.released {
                break;
            }
            if let Some((id, gone)) = inner.records.pop_front() {
                inner.bytes -= (gone.held() + ID_BYTES).min(inner.bytes);
                inner.ids.remove(&id);
                trimmed[bound].1 += 1;
            }
        }
        let used = i64::try_from(inner.bytes).unwrap_or(i64::MAX);
        self.metrics.used_bytes.set(used);
        trimmed
    }

    fn count(&self, trimmed: Trimmed) {
        for (reason, events) in trimmed {
            self.metrics.trimmed(reason, events);
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inner {
    /// The place of the event with this one's name, and the hash of its content.
    fn find(&self, entry: &Entry) -> Option<(Seq, u64)> {
        let name = (entry.producer.clone(), entry.id.clone());
        self.ids.get(&name).copied()
    }

    /// Keeps an event at the next place.
    fn keep(&mut self, entry: &Entry, now: Instant) -> Seq {
        self.last += 1;
        let name = (entry.producer.clone(), entry.id.clone());
        self.ids.insert(name.clone(), (self.last, entry.content));
        let record = entry.at(self.last, now);
        self.bytes += record.held() + ID_BYTES;
        self.records.push_back((name, record));
        self.last
    }

    /// Whether nothing can be trimmed.
    fn is_unread(&self) -> bool {
        let oldest = self.records.front();
        oldest.is_some_and(|(_, oldest)| oldest.seq > self.released)
    }
}

impl Journal for MemoryJournal {
    fn epoch(&self) -> Epoch {
        self.epoch
    }

    fn append_entries(&self, entries: Vec<Entry>) -> Appending {
        Box::pin(ready(self.append_now(entries)))
    }

    fn read(&self, after: Seq, limit: usize) -> BoxFuture<'_, Result<Batch, JournalError>> {
        let found: Vec<InMemory> = {
            let inner = self.lock();
            let first = inner.records.front().map_or(inner.last + 1, |(_, r)| r.seq);
            let skip = usize::try_from((after + 1).saturating_sub(first)).unwrap_or(usize::MAX);
            let records = inner.records.iter().skip(skip).take(limit);
            records.map(|(_, record)| record.clone()).collect()
        };
        // Parsing is work, so it is done without the lock.
        let mut batch = Batch::after(after);
        for found in found {
            batch.push(found.seq, found.record());
            if batch.is_full() {
                break;
            }
        }
        Box::pin(ready(Ok(batch)))
    }

    fn release(&self, read: Seq) {
        let mut inner = self.lock();
        inner.released = read;
        let trimmed = self.trim(&mut inner, Instant::now());
        drop(inner);
        self.count(trimmed);
    }

    fn bounds(&self) -> Bounds {
        let inner = self.lock();
        Bounds {
            first: inner.records.front().map_or(inner.last + 1, |(_, r)| r.seq),
            last: inner.last,
        }
    }

    fn watch(&self) -> watch::Receiver<Seq> {
        self.grown.subscribe()
    }

    fn metrics(&self) -> JournalMetrics {
        self.metrics.clone()
    }
}
