//! The counters of the analytics themselves.

use std::sync::atomic::AtomicU64;

use prometheus_client::{
    encoding::EncodeLabelSet,
    metrics::{counter::Counter, family::Family, gauge::Gauge},
    registry::Registry,
};

/// The counters of the analytics.
#[derive(Debug, Default)]
pub(super) struct AnalyticsMetrics {
    /// Times that they were saved, by outcome.
    saved: Family<Outcome, Counter>,
    /// The bytes that were last saved.
    bytes: Gauge,
    /// Names that found no room, by what they name.
    dropped: Family<Of, Gauge<u64, AtomicU64>>,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Outcome {
    /// `saved` or `failed`.
    outcome: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Of {
    /// `types`, `rooms`, `ends` or `saved`.
    of: &'static str,
}

impl AnalyticsMetrics {
    pub(super) fn register(&self, registry: &mut Registry) {
        registry.register(
            "analytics_saved",
            "Times that the analytics were saved, by outcome (saved, failed)",
            self.saved.clone(),
        );
        registry.register(
            "analytics_saved_bytes",
            "Bytes of the analytics as they were last saved",
            self.bytes.clone(),
        );
        registry.register(
            "analytics_dropped",
            "Names that the analytics have no room for, by what they are of (types, rooms, ends, saved)",
            self.dropped.clone(),
        );
    }

    /// The analytics were saved with so many bytes, or could not be.
    pub(super) fn saved(&self, bytes: Option<usize>) {
        let outcome = if bytes.is_some() { "saved" } else { "failed" };
        self.saved.get_or_create(&Outcome { outcome }).inc();
        if let Some(bytes) = bytes {
            self.bytes.set(i64::try_from(bytes).unwrap_or(i64::MAX));
        }
    }

    /// So many names found no room in the text that is saved.
    pub(super) fn left_out(&self, names: usize) {
        let of = "saved";
        let names = u64::try_from(names).unwrap_or(u64::MAX);
        self.dropped.get_or_create(&Of { of }).set(names);
    }

    /// Takes over how much was dropped, when the metrics are read.
    pub(super) fn dropped(&self, dropped: [(&'static str, u64); 3]) {
        for (of, count) in dropped {
            self.dropped.get_or_create(&Of { of }).set(count);
        }
    }
}
