//! The newest records, at hand without a query. The live stream reads only these.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, PoisonError},
};

use super::{Record, Seq};

/// How many records stay at hand once the live stream has read them: whoever reads a moment later needs no query.
const KEPT: usize = 8_192;

#[derive(Debug)]
pub(super) struct Tail(Mutex<Inner>);

#[derive(Debug)]
struct Inner {
    /// Without holes, up to the newest.
    records: VecDeque<Arc<Record>>,
    /// The newest place, also while nothing is at hand.
    last: Seq,
}

impl Tail {
    pub(super) fn new(last: Seq) -> Self {
        Self(Mutex::new(Inner {
            records: VecDeque::new(),
            last,
        }))
    }

    pub(super) fn push(&self, records: impl Iterator<Item = Arc<Record>>) {
        let mut inner = self.lock();
        inner.records.extend(records);
        inner.last = inner.records.back().map_or(inner.last, |r| r.seq);
    }

    /// Lets go of what was read, but for the newest.
    pub(super) fn release(&self, read: Seq) {
        let mut inner = self.lock();
        while inner.records.len() > KEPT && inner.records.front().is_some_and(|r| r.seq <= read) {
            inner.records.pop_front();
        }
    }

    /// The records after `after`, if the first of them is at hand.
    pub(super) fn read(&self, after: Seq, limit: usize) -> Option<Vec<Arc<Record>>> {
        let inner = self.lock();
        if after >= inner.last {
            return Some(Vec::new());
        }
        let first = inner.records.front()?.seq;
        let skip = usize::try_from((after + 1).checked_sub(first)?).ok()?;
        Some(
            inner
                .records
                .iter()
                .skip(skip)
                .take(limit)
                .cloned()
                .collect(),
        )
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
