//! The waiting calls of one producer. Several programs may share one producer, so calls of similar size wait in one
//! line, and the lines take turns by the events that they were given.

use std::collections::VecDeque;

/// The least number of events of each size of calls; calls of one size wait in one line.
const CALL_SIZES: [usize; 4] = [1, 9, 65, 513];

/// The waiting calls of one producer, by size, first come first served.
#[derive(Debug)]
pub(super) struct Line<W> {
    calls: [VecDeque<Call<W>>; CALL_SIZES.len()],
    /// The events that went on while the producer had events in flight, by the size of their calls.
    given: [usize; CALL_SIZES.len()],
    /// The events that the last size had been given when a call of it went on: a size that comes later begins there.
    floor: usize,
}

/// The events of a call, and the caller that waits for it.
pub(super) type Call<W> = (usize, W);

impl<W> Default for Line<W> {
    fn default() -> Self {
        Self {
            calls: Default::default(),
            given: Default::default(),
            floor: 0,
        }
    }
}

impl<W> Line<W> {
    pub(super) fn is_empty(&self) -> bool {
        self.calls.iter().all(VecDeque::is_empty)
    }

    fn size(events: usize) -> usize {
        CALL_SIZES.partition_point(|from| *from <= events).max(1) - 1
    }

    pub(super) fn push(&mut self, call: Call<W>) {
        let size = Self::size(call.0);
        if self.calls[size].is_empty() {
            self.given[size] = self.given[size].max(self.floor);
        }
        self.calls[size].push_back(call);
    }

    /// Notes that a call of so many events goes on.
    pub(super) fn give(&mut self, events: usize) {
        let given = &mut self.given[Self::size(events)];
        self.floor = self.floor.max(*given);
        *given = self.floor + events;
    }

    /// The line whose next call goes on: the one that was given least.
    pub(super) fn next(&mut self) -> Option<&mut VecDeque<Call<W>>> {
        let waits = |size: &usize| !self.calls[*size].is_empty();
        let next = (0..CALL_SIZES.len())
            .filter(waits)
            .min_by_key(|size| self.given[*size])?;
        self.calls.get_mut(next)
    }
}
