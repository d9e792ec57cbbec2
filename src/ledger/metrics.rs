//! The bytes that the ledger holds, and the counts of things that its bounds evicted.

use prometheus_client::{
    encoding::EncodeLabelSet,
    metrics::{counter::Counter, family::Family, gauge::Gauge},
    registry::Registry,
};

use crate::event::ThingKind;

/// The ledger's counters; a clone counts the same.
#[derive(Debug, Clone)]
pub struct Metrics {
    /// Held against `[access] max_known_bytes`.
    bytes: Family<SaidBy, Gauge>,
    /// The two gauges: for things that unlimited producers named, and limited ones.
    held: [Gauge; 2],
    /// Evicted things, and names of projects that were not remembered.
    forgotten: Family<Forgotten, Counter>,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct SaidBy {
    /// `limited` producers, or the others.
    said_by: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Forgotten {
    /// The kind of the thing.
    kind: &'static str,
    /// The bound: `count` or `bytes`.
    reason: &'static str,
}

impl Default for Metrics {
    fn default() -> Self {
        let bytes = Family::<SaidBy, Gauge>::default();
        let held = ["unlimited", "limited"];
        let held = held.map(|said_by| bytes.get_or_create(&SaidBy { said_by }).clone());
        Self {
            bytes,
            held,
            forgotten: Family::default(),
        }
    }
}

impl Metrics {
    /// Registers the counters.
    pub fn register(&self, r: &mut Registry) {
        r.register(
            "known_bytes",
            "Bytes of memory that is held of whose things are ([access] max_known_bytes), by the producers that said it (limited, unlimited)",
            self.bytes.clone(),
        );
        r.register(
            "known_forgotten",
            "Things whose project and owner were forgotten, and names and boards of projects (kind project), by kind and bound (count, bytes)",
            self.forgotten.clone(),
        );
    }

    /// Bytes of the things that such producers named.
    pub fn held(&self, limited: bool) -> usize {
        usize::try_from(self.held[usize::from(limited)].get()).unwrap_or(0)
    }

    /// Sets the bytes that are held.
    pub(super) fn holds(&self, limited: bool, bytes: usize) {
        self.held[usize::from(limited)].set(i64::try_from(bytes).unwrap_or(i64::MAX));
    }

    /// Counts an evicted thing.
    pub(super) fn forgotten(&self, kind: ThingKind, reason: &'static str) {
        let kind = kind.as_str();
        self.forgotten
            .get_or_create(&Forgotten { kind, reason })
            .inc();
    }
}
