//! The updates that wait for the clients of a door, by priority.

use std::{array, sync::atomic::Ordering};

use prometheus_client::{
    encoding::EncodeLabelSet,
    metrics::{family::Family, gauge::Gauge, histogram::Histogram},
    registry::Registry,
};

use crate::event::Priority;

/// The priorities that are told apart: `critical` is the most urgent kind of `high`.
pub(crate) const LEVELS: [&str; 3] = ["high", "medium", "low"];

/// A label of the gauge.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(crate) struct Level {
    priority: &'static str,
}

/// The updates that wait in the queues of a door's clients, by priority; one counts once for each client. All clones are
/// one.
#[derive(Debug, Clone)]
pub struct Depths {
    family: Family<Level, Gauge>,
    /// The gauges of the family, looked up once.
    by_level: [Gauge; LEVELS.len()],
    /// Updates in each batch that a client was sent.
    batches: Histogram,
}

impl Default for Depths {
    fn default() -> Self {
        let family = Family::<Level, Gauge>::default();
        let by_level = LEVELS.map(|priority| family.get_or_create(&Level { priority }).clone());
        Self {
            family,
            by_level,
            batches: Histogram::new([1.0, 2.0, 5.0, 10.0, 20.0, 50.0, 100.0, 1_000.0]),
        }
    }
}

impl Depths {
    /// Registers the counters of the workflow visualization.
    pub fn register(&self, registry: &mut Registry) {
        registry.register(
            "visualization_queue",
            "Updates that wait for clients of the workflow visualization, once for each client, by priority",
            self.family.clone(),
        );
        registry.register(
            "visualization_batch_updates",
            "Updates in a batch that a client of the workflow visualization was sent",
            self.batches.clone(),
        );
    }

    /// Counts a batch of so many updates.
    pub(super) fn sent_batch(&self, updates: usize) {
        self.batches
            .observe(f64::from(u32::try_from(updates).unwrap_or(u32::MAX)));
    }

    /// Counts updates that began to wait, or that no longer do.
    pub(super) fn add(&self, priority: Priority, count: i64) {
        self.by_level[level(priority)].inc_by(count);
    }

    /// The updates that wait now, in the order of [`LEVELS`].
    pub fn now(&self) -> [u64; LEVELS.len()] {
        array::from_fn(|at| {
            let waiting = self.by_level[at].inner().load(Ordering::Relaxed);
            u64::try_from(waiting).unwrap_or_default()
        })
    }
}

/// The level of a priority, most urgent first.
pub(crate) fn level(priority: Priority) -> usize {
    match priority {
        Priority::Critical | Priority::High => 0,
        Priority::Normal => 1,
        Priority::Low => 2,
    }
}
