//! The manner of a queue that most doors' queues don't have: updates that go in batches, and figures of those that wait.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use bytes::Bytes;

use super::depths::Depths;
use crate::{delivery::WireMessage, event::Priority};

/// The time that an urgent update may wait in a batch: half of its budget.
const URGENT_WINDOW: Duration = Duration::from_millis(25);

/// The way in which a queue's updates become batches.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Batching {
    /// Updates in one batch.
    pub(crate) size: usize,
    /// The time that an update may wait for others.
    pub(crate) window: Duration,
    /// Writes the batch of some updates.
    pub(crate) write: fn(&[Arc<WireMessage>]) -> Bytes,
}

impl Batching {
    /// The time at which a batch with this update goes.
    pub(super) fn due(&self, message: &WireMessage) -> Instant {
        let window = match message.priority() {
            Some(Priority::Critical | Priority::High) => self.window.min(URGENT_WINDOW),
            _ => self.window,
        };
        message.made() + window
    }
}

/// The manner of a queue.
#[derive(Debug, Clone, Default)]
pub(crate) struct Manner {
    /// Updates go in batches.
    pub(crate) batching: Option<Batching>,
    /// Counts the updates that wait.
    pub(crate) depths: Option<Depths>,
}

impl Manner {
    /// Counts updates that begin to wait, or no longer do.
    pub(super) fn count<'m>(
        &self,
        messages: impl IntoIterator<Item = &'m Arc<WireMessage>>,
        by: i64,
    ) {
        if let Some(depths) = &self.depths {
            let priorities = messages
                .into_iter()
                .filter_map(|message| message.priority());
            priorities.for_each(|priority| depths.add(priority, by));
        }
    }

    /// Counts a batch of so many updates.
    pub(super) fn sent_batch(&self, updates: usize) {
        if let Some(depths) = &self.depths {
            depths.sent_batch(updates);
        }
    }
}
