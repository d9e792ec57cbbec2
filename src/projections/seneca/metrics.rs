//! The bytes that Seneca's dashboard holds, and the counts of things that its bounds evicted.

use prometheus_client::{
    encoding::EncodeLabelSet,
    metrics::{counter::Counter, family::Family, gauge::Gauge},
    registry::Registry,
};

use super::Dashboard;

/// The dashboard's counters.
#[derive(Debug, Default)]
pub(crate) struct DashboardMetrics {
    /// Held against `[seneca] max_bytes`.
    bytes: Gauge,
    /// Counts of evicted things, by part of the dashboard.
    forgotten: Family<Part, Counter>,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Part {
    /// The part of the dashboard.
    what: &'static str,
}

impl DashboardMetrics {
    pub(crate) fn register(&self, r: &mut Registry) {
        r.register(
            "seneca_bytes",
            "Bytes of memory that is held of the stream for Seneca's pages",
            self.bytes.clone(),
        );
        r.register(
            "seneca_forgotten",
            "Lines, readings, tasks, flows and agents that were let go or not taken for Seneca's pages because of their bounds, by what they are",
            self.forgotten.clone(),
        );
    }

    /// Takes over the dashboard's own counts.
    pub(crate) fn look(&self, dashboard: &Dashboard) {
        self.bytes
            .set(i64::try_from(dashboard.bytes()).unwrap_or(i64::MAX));
        let forgotten = dashboard.forgotten();
        for (what, count) in [
            ("lines", forgotten.lines),
            ("readings", forgotten.readings),
            ("tasks", forgotten.tasks),
            ("flows", forgotten.flows),
            ("agents", forgotten.agents),
        ] {
            let counter = self.forgotten.get_or_create(&Part { what });
            counter.inc_by(count.saturating_sub(counter.get()));
        }
    }
}
