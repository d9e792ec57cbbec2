//! The counters of recovery.

use prometheus_client::{
    encoding::EncodeLabelSet,
    metrics::{counter::Counter, family::Family, gauge::Gauge},
    registry::Registry,
};

/// The counters of recovery; a clone shares them.
#[derive(Debug, Clone, Default)]
pub struct RecoveryMetrics {
    recoveries: Family<Outcome, Counter>,
    dropped: Family<Why, Counter>,
    pub(super) sessions: Gauge,
    pub(super) bytes: Gauge,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Outcome {
    outcome: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Why {
    reason: &'static str,
}

impl RecoveryMetrics {
    /// A client came with the secret of a session.
    pub fn came(&self, outcome: &'static str) {
        self.recoveries.get_or_create(&Outcome { outcome }).inc();
    }

    /// A session was dropped that could have been recovered.
    pub(super) fn dropped(&self, reason: &'static str) {
        self.dropped.get_or_create(&Why { reason }).inc();
    }

    /// Sessions could not be written.
    pub(super) fn unsaved(&self) {
        self.dropped("unsaved");
    }

    /// Registers them.
    pub fn register(&self, registry: &mut Registry) {
        registry.register(
            "recoveries",
            "Clients that came with the secret of a session, by what became of it",
            self.recoveries.clone(),
        );
        registry.register(
            "recovery_dropped",
            "Sessions that can't be recovered because of a limit, by reason",
            self.dropped.clone(),
        );
        registry.register(
            "recovery_sessions",
            "Sessions that could be recovered",
            self.sessions.clone(),
        );
        registry.register(
            "recovery_bytes",
            "Bytes of memory that they hold",
            self.bytes.clone(),
        );
    }
}
