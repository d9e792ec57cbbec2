//! The bytes that Seneca's desk holds, and the counts of what its bounds let go.

use prometheus_client::{
    encoding::EncodeLabelSet,
    metrics::{counter::Counter, family::Family, gauge::Gauge},
    registry::Registry,
};

use super::Desk;

/// The desk's counters.
#[derive(Debug, Default)]
pub(crate) struct DeskMetrics {
    /// Held against `[seneca] max_bytes`.
    bytes: Gauge,
    /// Counts of what had to go, by part of the desk.
    forgotten: Family<Part, Counter>,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Part {
    /// The part of the desk.
    what: &'static str,
}

impl DeskMetrics {
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

    /// Takes over the desk's own counts.
    pub(crate) fn look(&self, desk: &Desk) {
        self.bytes
            .set(i64::try_from(desk.bytes()).unwrap_or(i64::MAX));
        let forgotten = desk.forgotten();
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
