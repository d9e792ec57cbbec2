//! Spans and hand-offs of a trace that wait, by the span that they wait for.

use std::{collections::HashMap, mem};

use super::span::SpanId;

/// Waiting spans of a trace beyond twice its remembered ones, before those that no longer wait are passed over.
const SLACK: usize = 4;

/// The ids of waiting spans, by the span that they wait for. Some may have gone meanwhile.
#[derive(Debug, Default)]
pub(super) struct Waiters {
    by_missing: HashMap<SpanId, Vec<SpanId>>,
    count: usize,
}

impl Waiters {
    pub(super) fn push(&mut self, missing: SpanId, waits: SpanId) {
        self.by_missing.entry(missing).or_default().push(waits);
        self.count += 1;
    }

    /// Takes out the waiters of a span.
    pub(super) fn take(&mut self, missing: SpanId) -> Vec<SpanId> {
        let taken = self.by_missing.remove(&missing).unwrap_or_default();
        self.count -= taken.len();
        taken
    }

    pub(super) fn wait_for(&self, missing: SpanId) -> bool {
        self.by_missing.contains_key(&missing)
    }

    /// Lets all that wait for one span wait for another one. Says how many were moved: never the larger part.
    pub(super) fn move_on(&mut self, from: SpanId, to: SpanId) -> usize {
        let Some(mut moved) = self.by_missing.remove(&from) else {
            return 0;
        };
        let there = self.by_missing.entry(to).or_default();
        if moved.len() > there.len() {
            mem::swap(&mut moved, there);
        }
        let count = moved.len();
        there.append(&mut moved);
        count
    }

    /// Passes over those that no longer wait, when they may be more than the others.
    pub(super) fn sweep(&mut self, remembered: usize, waits: impl Fn(SpanId) -> bool) {
        if self.count <= 2 * remembered + SLACK {
            return;
        }
        self.by_missing.retain(|_, ids| {
            ids.retain(|id| waits(*id));
            ids.shrink_to_fit();
            !ids.is_empty()
        });
        self.count = self.by_missing.values().map(Vec::len).sum();
    }

    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.count
    }
}
