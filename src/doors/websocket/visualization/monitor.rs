//! Watches how much waits for the clients of this door, and tells the log when that stays much.

use std::time::Duration;

use crate::doors::depths::{Depths, LEVELS};

/// The time between two looks.
const LOOK_INTERVAL: Duration = Duration::from_secs(1);
/// The looks in a row at which a queue counts as long for good: an attack of updates is over sooner.
const LOOKS: u32 = 5;

/// Watches the queues until it is stopped; from `long` updates of one priority on they count as long.
pub async fn watch_queues(depths: Depths, long: u64) {
    let mut queues = [Queue::default(); LEVELS.len()];
    let mut looks = tokio::time::interval(LOOK_INTERVAL);
    loop {
        looks.tick().await;
        for ((queue, waiting), priority) in queues.iter_mut().zip(depths.now()).zip(LEVELS) {
            match queue.look(waiting, long) {
                None => {}
                Some(Change::Long) => tracing::warn!(
                    priority,
                    waiting,
                    "updates wait for clients of the visualization, which take fewer than are published: publish fewer of \
                     them, or let fewer clients watch ([doors] visualization_queue_warning)"
                ),
                Some(Change::Short) => tracing::info!(
                    priority,
                    waiting,
                    "few updates wait for clients of the visualization again"
                ),
            }
        }
    }
}

/// The queue of one priority as the monitor knows it.
#[derive(Debug, Clone, Copy, Default)]
struct Queue {
    /// The looks in a row at which it was long.
    long_for: u32,
}

/// A change that the log is told.
#[derive(Debug, PartialEq, Eq)]
enum Change {
    /// It was long for some looks.
    Long,
    /// It no longer is.
    Short,
}

impl Queue {
    fn look(&mut self, waiting: u64, long: u64) -> Option<Change> {
        let before = self.long_for;
        // A queue around the bound is told once: it must be half as long to count as short.
        let least = if before >= LOOKS { long / 2 } else { long };
        self.long_for = if waiting >= least.max(1) {
            before.saturating_add(1)
        } else {
            0
        };
        match (before, self.long_for) {
            (_, LOOKS) if before < LOOKS => Some(Change::Long),
            (LOOKS.., 0) => Some(Change::Short),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_queue_that_stays_long_is_told_once_and_once_when_it_is_short_again() {
        let mut queue = Queue::default();
        let mut told = |waiting: &[u64]| -> Vec<Change> {
            waiting
                .iter()
                .filter_map(|&waiting| queue.look(waiting, 100))
                .collect()
        };
        assert_eq!(told(&[100, 200, 300, 400, 0, 100, 100, 100, 100]), []);
        assert_eq!(told(&[100]), [Change::Long]);
        assert_eq!(told(&[500, 99, 50, 101, 50]), []);
        assert_eq!(told(&[49]), [Change::Short]);
        assert_eq!(told(&[0, 0, 99, 99, 99, 99, 99, 99]), []);
    }
}
