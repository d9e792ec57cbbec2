//! The bytes that the state holds, and the counts of facts and entities that its bounds kept out.

use prometheus_client::{
    encoding::EncodeLabelSet,
    metrics::{counter::Counter, family::Family, gauge::Gauge},
    registry::Registry,
};

use super::folded::State;

/// The state's counters.
#[derive(Debug, Default)]
pub(crate) struct StateMetrics {
    /// Held against `max_state_bytes`.
    bytes: Gauge,
    /// Evicted entities.
    evicted: Family<Eviction, Counter>,
    /// Facts that were not taken.
    dropped: Family<NotTaken, Counter>,
    /// Moments of the state that could not be kept.
    moments_refused: Counter,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Eviction {
    /// The name of their map in a snapshot.
    kind: &'static str,
    /// The bound.
    reason: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct NotTaken {
    /// The bound.
    reason: &'static str,
}

impl StateMetrics {
    pub(crate) fn register(&self, r: &mut Registry) {
        r.register(
            "state_bytes",
            "Bytes of memory that the entities of the state hold",
            self.bytes.clone(),
        );
        r.register(
            "state_evicted",
            "Entities that the state forgot, by kind and bound (count, bytes)",
            self.evicted.clone(),
        );
        r.register(
            "state_facts_dropped",
            "Facts that the state did not take, by reason: long (one fact), many (of one entity), full (bytes of one entity), calls (the oldest of too many tool calls of one agent), model_calls (the same of calls of models), models (a call that is added up as another model's), numbers (tokens and costs that can't be any), items (of plans with too many of them, or without an id)",
            self.dropped.clone(),
        );
        r.register(
            "state_moments_refused",
            "Times that the moments of the state that clients are being given held as much as they may, and no further one was kept",
            self.moments_refused.clone(),
        );
    }

    /// Counts a moment of the state that could not be kept for clients that read it slowly.
    pub(crate) fn moment_refused(&self) {
        self.moments_refused.inc();
    }

    /// Takes over the state's own counts.
    pub(crate) fn look(&self, state: &State) {
        self.bytes
            .set(i64::try_from(state.bytes()).unwrap_or(i64::MAX));
        for evicted in state.evicted().filter(|evicted| evicted.entities > 0) {
            let counter = self.evicted.get_or_create(&Eviction {
                kind: evicted.kind,
                reason: evicted.reason,
            });
            counter.inc_by(evicted.entities.saturating_sub(counter.get()));
        }
        let dropped = state.dropped();
        for (reason, facts) in [
            ("long", dropped.long),
            ("many", dropped.many),
            ("full", dropped.full),
            ("calls", dropped.calls),
            ("model_calls", dropped.model_calls),
            ("models", dropped.models),
            ("numbers", dropped.numbers),
            ("items", dropped.items),
        ] {
            let counter = self.dropped.get_or_create(&NotTaken { reason });
            counter.inc_by(facts.saturating_sub(counter.get()));
        }
    }
}
