//! Kept events by family and door.

use std::collections::BTreeMap;

use prometheus_client::{
    encoding::EncodeLabelSet,
    metrics::{counter::Counter, family::Family},
    registry::Registry,
};

/// The counts of kept events; a clone shares them.
#[derive(Debug, Clone, Default)]
pub struct EventFamilies(Family<Kept, Counter>);

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Kept {
    /// A word of a fixed set: producers choose the names of events, and labels must stay few.
    family: &'static str,
    door: &'static str,
}

impl EventFamilies {
    /// Counts events of a call that were kept.
    pub fn kept(&self, door: &'static str, families: impl Iterator<Item = &'static str>) {
        let mut counts = BTreeMap::<&'static str, u64>::new();
        for family in families {
            *counts.entry(family).or_default() += 1;
        }
        for (family, count) in counts {
            self.0.get_or_create(&Kept { family, door }).inc_by(count);
        }
    }

    pub(super) fn register(&self, registry: &mut Registry) {
        registry.register(
            "events_by_family",
            "Events kept in the journal, by the first part of their type and by the door that they came by",
            self.0.clone(),
        );
    }
}
