//! The counters of emissions.

use prometheus_client::{
    encoding::EncodeLabelSet,
    metrics::{counter::Counter, family::Family},
    registry::Registry,
};

/// The counters of emissions; a clone shares them.
#[derive(Debug, Clone, Default)]
pub struct EmissionMetrics {
    emissions: Family<Keep, Counter>,
    duplicates: Counter,
    unheard: Counter,
    dropped: Family<Why, Counter>,
    waited: Counter,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Keep {
    keep: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Why {
    reason: &'static str,
}

impl EmissionMetrics {
    /// So many emissions were accepted, kept or not.
    pub fn accepted(&self, is_kept: bool, count: usize) {
        let keep = if is_kept { "true" } else { "false" };
        self.emissions
            .get_or_create(&Keep { keep })
            .inc_by(count as u64);
    }

    /// An emission that is not kept came again with an id that its sender used before.
    pub fn duplicate(&self) {
        self.duplicates.inc();
    }

    /// An emission that is not kept was sent to so many members.
    pub fn sent(&self, members: usize) {
        if members == 0 {
            self.unheard.inc();
        }
    }

    /// So many deliveries of emissions were dropped.
    pub fn dropped(&self, reason: &'static str, count: usize) {
        if count > 0 {
            self.dropped
                .get_or_create(&Why { reason })
                .inc_by(count as u64);
        }
    }

    /// A sender waited until enough of its emissions were queued.
    pub fn waited(&self) {
        self.waited.inc();
    }

    pub(super) fn register(&self, r: &mut Registry) {
        r.register(
            "emissions",
            "Emissions accepted, by whether they are kept",
            self.emissions.clone(),
        );
        r.register(
            "emissions_duplicate",
            "Emissions that are not kept, with an id that their sender used before",
            self.duplicates.clone(),
        );
        r.register(
            "emissions_unheard",
            "Emissions that are not kept, and that nobody was there for",
            self.unheard.clone(),
        );
        r.register(
            "emissions_dropped",
            "Deliveries of emissions that were dropped, by reason",
            self.dropped.clone(),
        );
        r.register(
            "emitters_waited",
            "Times that a sender waited until enough of its emissions were queued",
            self.waited.clone(),
        );
    }
}
