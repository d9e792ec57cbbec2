//! The counters of the analytics themselves, and the way from the other counters to them.

use std::sync::{Arc, atomic::AtomicU64};

use prometheus_client::{
    encoding::EncodeLabelSet,
    metrics::{counter::Counter, family::Family, gauge::Gauge},
    registry::Registry,
};

use super::{
    metrics::Metrics,
    usage::{Counts, Saved, UsagePicture},
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

    /// Takes over how much was dropped, when the metrics are read.
    pub(super) fn dropped(&self, dropped: [(&'static str, u64); 3]) {
        for (of, count) in dropped {
            self.dropped.get_or_create(&Of { of }).set(count);
        }
    }
}

impl Metrics {
    /// Brings the counts by time up to date. One task calls it every second, so the hot path reads no clock.
    pub fn count_usage(&self) {
        let updates = self.by_priority.iter().map(|(count, _)| count.get());
        self.usage.tick(Counts {
            updates: updates.sum(),
            deliveries: self.deliveries.get(),
            accepted: self.events.get(),
            ..Counts::default()
        });
    }

    /// The analytics' counts, at most half a second old.
    pub fn usage_picture(&self) -> Arc<UsagePicture> {
        self.count_usage();
        self.usage.picture()
    }

    /// The counts to be saved, as text of at most so many bytes.
    pub fn usage_to_save(&self, max_bytes: usize) -> String {
        self.count_usage();
        let (text, left_out) = Saved::of(&self.usage.look()).write(max_bytes);
        let dropped = &self.analytics.dropped;
        let left_out = u64::try_from(left_out).unwrap_or(u64::MAX);
        dropped.get_or_create(&Of { of: "saved" }).set(left_out);
        text
    }

    /// The analytics were saved, with so many bytes.
    pub fn analytics_saved(&self, bytes: usize) {
        let outcome = "saved";
        self.analytics
            .saved
            .get_or_create(&Outcome { outcome })
            .inc();
        self.analytics
            .bytes
            .set(i64::try_from(bytes).unwrap_or(i64::MAX));
    }

    /// The analytics could not be saved.
    pub fn analytics_save_failed(&self) {
        let outcome = "failed";
        self.analytics
            .saved
            .get_or_create(&Outcome { outcome })
            .inc();
    }
}
