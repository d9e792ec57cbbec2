//! The newest records in memory. The live stream reads these as long as it keeps up, without a query.
//!
//! Their bound is in bytes of memory, whether the live stream has read them or not: all of them are kept elsewhere too.

use std::{
    collections::VecDeque,
    sync::{Mutex, PoisonError},
};

use crate::journal::{Batch, Seq, entry::InMemory};

#[derive(Debug)]
pub(in crate::journal) struct Tail {
    inner: Mutex<Inner>,
    max_bytes: usize,
}

#[derive(Debug)]
struct Inner {
    /// Without holes, up to the newest.
    records: VecDeque<InMemory>,
    /// Bytes that the records hold.
    bytes: usize,
    /// The newest place, also while no record is in memory.
    last: Seq,
}

impl Tail {
    pub(in crate::journal) fn new(last: Seq, max_bytes: usize) -> Self {
        Self {
            inner: Mutex::new(Inner {
                records: VecDeque::new(),
                bytes: 0,
                last,
            }),
            max_bytes,
        }
    }

    pub(in crate::journal) fn push(&self, records: impl Iterator<Item = InMemory>) {
        let mut inner = self.lock();
        for record in records {
            inner.bytes += record.held();
            inner.last = record.seq;
            inner.records.push_back(record);
            while inner.bytes > self.max_bytes && inner.records.len() > 1 {
                let gone = inner.records.pop_front();
                inner.bytes -= gone.map_or(0, |gone| gone.held());
            }
        }
    }

    /// A tail with the records up to this place, after which the stream goes on.
    pub(in crate::journal) fn until(&self, last: Seq) -> Self {
        let tail = Self::new(last, self.max_bytes);
        let inner = self.lock();
        // One that ends before this place would leave a hole.
        if inner.last >= last {
            let kept = inner.records.iter().take_while(|record| record.seq <= last);
            let kept: Vec<InMemory> = kept.cloned().collect();
            drop(inner);
            tail.push(kept.into_iter());
        }
        tail
    }

    /// The newest place.
    pub(in crate::journal) fn last(&self) -> Seq {
        self.lock().last
    }

    /// The records after `after`, if the first of them is in memory.
    pub(in crate::journal) fn read(&self, after: Seq, limit: usize) -> Option<Batch> {
        let found: Vec<InMemory> = {
            let inner = self.lock();
            if after >= inner.last {
                return Some(Batch::after(after));
            }
            let first = inner.records.front()?.seq;
            let skip = usize::try_from((after + 1).checked_sub(first)?).ok()?;
            inner.records.range(skip..).take(limit).cloned().collect()
        };
        // Parsing is work, so it is done without the lock.
        let mut batch = Batch::after(after);
        for found in found {
            batch.push(found.seq, found.record());
            if batch.is_full() {
                break;
            }
        }
        Some(batch)
    }

    pub(in crate::journal) fn bytes(&self) -> usize {
        self.lock().bytes
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
