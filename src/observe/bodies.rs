//! The counts of request bodies that wait for space, and of those that find none.

use prometheus_client::{
    encoding::EncodeLabelSet,
    metrics::{counter::Counter, family::Family},
    registry::Registry,
};

/// The counters of the bodies of all doors; a clone shares them.
#[derive(Debug, Clone, Default)]
pub struct BodyMetrics {
    /// Bodies that waited, by the limit that made them wait.
    waited: Family<Reason, Counter>,
    /// Bodies that were refused, by reason.
    refused: Family<Reason, Counter>,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Reason {
    /// `address`, `total` or `pace`.
    reason: &'static str,
}

impl BodyMetrics {
    /// Counts a body that waits.
    pub fn waited(&self, reason: &'static str) {
        self.waited.get_or_create(&Reason { reason }).inc();
    }

    /// Counts a body that is refused.
    pub fn refused(&self, reason: &'static str) {
        self.refused.get_or_create(&Reason { reason }).inc();
    }

    pub(super) fn register(&self, registry: &mut Registry) {
        registry.register(
            "bodies_waited",
            "Request bodies that waited for space, by whose was full (address, total)",
            self.waited.clone(),
        );
        registry.register(
            "bodies_refused",
            "Request bodies that found no space or lost it, by reason (address, total, pace)",
            self.refused.clone(),
        );
    }
}
