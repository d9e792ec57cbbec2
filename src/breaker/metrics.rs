//! The counters of the breakers.

use prometheus_client::{
    encoding::EncodeLabelSet,
    metrics::{counter::Counter, family::Family, gauge::Gauge},
    registry::Registry,
};

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct In {
    part: &'static str,
    /// `closed`, `open` or `half_open`.
    state: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Part {
    part: &'static str,
}

/// The families of all breakers; a clone counts the same.
#[derive(Debug, Clone, Default)]
pub(super) struct Families {
    state: Family<In, Gauge>,
    failures: Family<Part, Counter>,
    opened: Family<Part, Counter>,
    probes: Family<Part, Counter>,
    refused: Family<Part, Counter>,
}

impl Families {
    pub(super) fn register(&self, r: &mut Registry) {
        r.register(
            "breaker_state",
            "1 for the state that the circuit breaker of a part is in (closed, open, half_open), 0 for the others",
            self.state.clone(),
        );
        r.register(
            "breaker_failures",
            "Calls of an outside part that failed, by part",
            self.failures.clone(),
        );
        r.register(
            "breaker_opened",
            "Times that a circuit breaker opened after failures in a row, by part",
            self.opened.clone(),
        );
        r.register(
            "breaker_probes",
            "Calls that a half-open circuit breaker let through, by part",
            self.probes.clone(),
        );
        r.register(
            "breaker_refused",
            "Calls that a circuit breaker refused, by part",
            self.refused.clone(),
        );
    }

    /// The counters of one part, looked up once.
    pub(super) fn of(&self, part: &'static str, states: [&'static str; 3]) -> Counters {
        let label = Part { part };
        let state = |state| self.state.get_or_create(&In { part, state }).clone();
        Counters {
            states: states.map(state),
            failures: self.failures.get_or_create(&label).clone(),
            opened: self.opened.get_or_create(&label).clone(),
            probes: self.probes.get_or_create(&label).clone(),
            refused: self.refused.get_or_create(&label).clone(),
        }
    }
}

/// The counters of one breaker.
#[derive(Debug)]
pub(super) struct Counters {
    /// The gauges of the states, in the order of the states.
    states: [Gauge; 3],
    pub(super) failures: Counter,
    pub(super) opened: Counter,
    pub(super) probes: Counter,
    pub(super) refused: Counter,
}

impl Counters {
    /// Shows the state with this number, and none of the others.
    pub(super) fn show(&self, state: usize) {
        for (number, gauge) in self.states.iter().enumerate() {
            gauge.set(i64::from(number == state));
        }
    }
}
