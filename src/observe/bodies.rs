//! The counts of request bodies that wait for space, and of those that find none.

use prometheus_client::{
    encoding::EncodeLabelSet,
    metrics::{counter::Counter, family::Family},
    registry::Registry,
};

/// The counters of all doors' bodies; a clone counts the same.
#[derive(Debug, Clone, Default)]
pub struct BodyMetrics {
    /// Bodies that waited, by whose bytes they waited for.
    waited: Family<Reason, Counter>,
    /// Bodies that were refused, and why.
    refused: Family<Reason, Counter>,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Reason {
    /// `address`, `total` or `pace`.
    reason: &'static str,
}

impl BodyMetrics {
    /// One waits.
    pub fn waited(&self, reason: &'static str) {
        self.waited.get_or_create(&Reason { reason }).inc();
    }

    /// One is refused.
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
