//! The counters of clients that are sent elsewhere.

use prometheus_client::{
    encoding::{EncodeLabelSet, EncodeLabelValue},
    metrics::{counter::Counter, family::Family, gauge::Gauge},
    registry::Registry,
};

use super::status::DrainState;

/// The reason why clients are moved.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, EncodeLabelValue)]
#[allow(non_camel_case_types)]
pub enum MoveCause {
    /// The node is drained.
    drain,
    /// An admin or an application wants it.
    reconnect,
}

/// The counters; a clone shares them.
#[derive(Debug, Clone, Default)]
pub struct DrainMetrics {
    state: Gauge,
    moved: Family<MovedBy, Counter>,
    refused: Family<RefusedAt, Counter>,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct MovedBy {
    cause: MoveCause,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct RefusedAt {
    door: &'static str,
}

impl DrainMetrics {
    /// Registers them.
    pub fn register(&self, registry: &mut Registry) {
        registry.register(
            "drain_state",
            "Whether the node takes clients (0), is being drained (1), or has none left after a drain (2)",
            self.state.clone(),
        );
        registry.register(
            "drain_moved",
            "Connections that were closed so that their clients connect again, by cause (drain, reconnect)",
            self.moved.clone(),
        );
        registry.register(
            "drain_refused",
            "New clients that were sent to another node while this one was drained, by door",
            self.refused.clone(),
        );
    }

    pub(super) fn is_in(&self, state: DrainState) {
        self.state.set(match state {
            DrainState::Serving => 0,
            DrainState::Draining => 1,
            DrainState::Drained => 2,
        });
    }

    pub(super) fn moved(&self, cause: MoveCause) {
        self.moved.get_or_create(&MovedBy { cause }).inc();
    }

    pub(super) fn refused(&self, door: &'static str) {
        self.refused.get_or_create(&RefusedAt { door }).inc();
    }
}
