//! The attempts of clients and producers: how many were accepted, and how many refused, for the success rate.
//!
//! An attempt is an event that is published, a client that connects, or another request, over HTTP or as a client's
//! event. One that is refused counts wherever its refusal is counted.

use prometheus_client::{
    encoding::EncodeLabelSet,
    metrics::{counter::Counter, family::Family},
    registry::Registry,
};

/// The counts of attempts; a clone shares them.
#[derive(Debug, Clone)]
pub struct Attempts {
    all: Family<Outcome, Counter>,
    ok: Counter,
    refused: Counter,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Outcome {
    /// `ok` or `refused`.
    outcome: &'static str,
}

impl Default for Attempts {
    fn default() -> Self {
        let all = Family::<Outcome, Counter>::default();
        let of = |outcome| all.get_or_create(&Outcome { outcome }).clone();
        Self {
            ok: of("ok"),
            refused: of("refused"),
            all,
        }
    }
}

impl Attempts {
    /// Counts attempts that were accepted.
    pub fn succeed(&self, count: usize) {
        self.ok.inc_by(count as u64);
    }

    /// Counts an attempt that was refused.
    pub(super) fn fail(&self) {
        self.refused.inc();
    }

    /// The accepted attempts since the start of the process.
    pub fn succeeded(&self) -> u64 {
        self.ok.get()
    }

    /// The refused attempts since the start of the process.
    pub fn failed(&self) -> u64 {
        self.refused.get()
    }

    pub(super) fn register(&self, registry: &mut Registry) {
        registry.register(
            "attempts",
            "Published events, connects and requests, by whether they were accepted",
            self.all.clone(),
        );
    }
}
