//! The number of events of a reading, by the size of those that were read last: an event may have a hundred bytes or a megabyte.

use std::sync::atomic::{AtomicUsize, Ordering};

use super::past::Item;

/// Bytes that a reading shall have.
const BYTES: usize = 4 << 20;
/// The most events of a reading.
const MOST: usize = 512;
/// The size of events of which none was read yet.
const FIRST_MEAN: usize = 64 << 10;

#[derive(Debug)]
pub(super) struct Stride {
    /// The mean bytes of the events that were read last.
    mean: AtomicUsize,
}

impl Stride {
    pub(super) fn new() -> Self {
        Self {
            mean: AtomicUsize::new(FIRST_MEAN),
        }
    }

    /// The events to read next.
    pub(super) fn count(&self) -> usize {
        let mean = self.mean.load(Ordering::Relaxed).max(1);
        (BYTES / mean).clamp(1, MOST)
    }

    /// Notes the events that were read.
    pub(super) fn note(&self, items: &[Item]) {
        let bytes: usize = items.iter().map(|item| item.kept.text.len()).sum();
        if let Some(mean) = bytes.checked_div(items.len()) {
            self.mean.store(mean, Ordering::Relaxed);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::journal::{Epoch, redis::scripts::Kept};

    fn items(count: usize, bytes: usize) -> Vec<Item> {
        let item = |seq| Item {
            seq,
            epoch: Epoch(1),
            kept: Kept {
                id: Default::default(),
                content: 0,
                text: "x".repeat(bytes).into(),
            },
        };
        (1..=count as u64).map(item).collect()
    }

    #[test]
    fn large_events_are_read_some_at_a_time_and_small_ones_many() {
        let stride = Stride::new();
        assert_eq!(stride.count(), 64);
        stride.note(&items(10, 1 << 20));
        assert_eq!(stride.count(), 4);
        stride.note(&[]);
        assert_eq!(stride.count(), 4);
        stride.note(&items(4, 5 << 20));
        assert_eq!(stride.count(), 1);
        stride.note(&items(1, 100));
        assert_eq!(stride.count(), MOST);
    }
}
