//! The counters of the link between nodes.

use prometheus_client::{
    encoding::EncodeLabelSet,
    metrics::{counter::Counter, family::Family, gauge::Gauge},
    registry::Registry,
};

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Kind {
    kind: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Reason {
    reason: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Outcome {
    outcome: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct End {
    connection: &'static str,
}

/// The counters of the link between nodes; a clone shares them.
#[derive(Debug, Clone, Default)]
pub struct ClusterMetrics {
    sent: Family<Kind, Counter>,
    received: Family<Kind, Counter>,
    dropped: Family<Reason, Counter>,
    questions: Family<Outcome, Counter>,
    lost: Family<End, Counter>,
    nodes: Gauge,
}

impl ClusterMetrics {
    pub(super) fn sent(&self, kind: &'static str) {
        self.sent.get_or_create(&Kind { kind }).inc();
    }

    pub(super) fn received(&self, kind: &'static str) {
        self.received.get_or_create(&Kind { kind }).inc();
    }

    /// A message was dropped: by this link, or by the part that it is for.
    pub fn dropped(&self, reason: &'static str) {
        self.dropped.get_or_create(&Reason { reason }).inc();
    }

    pub(super) fn question(&self, outcome: &'static str) {
        self.questions.get_or_create(&Outcome { outcome }).inc();
    }

    pub(super) fn lost(&self, connection: &'static str) {
        self.lost.get_or_create(&End { connection }).inc();
    }

    pub(super) fn nodes(&self, others: usize) {
        self.nodes.set(i64::try_from(others).unwrap_or(i64::MAX));
    }

    /// Adds the counters to those of the server.
    pub fn register(&self, r: &mut Registry) {
        r.register(
            "cluster_sent",
            "Messages sent to the other nodes, by kind",
            self.sent.clone(),
        );
        r.register(
            "cluster_received",
            "Messages received from the other nodes, by kind",
            self.received.clone(),
        );
        r.register(
            "cluster_dropped",
            "Messages between nodes that were dropped, by reason",
            self.dropped.clone(),
        );
        r.register(
            "cluster_questions",
            "Questions to other nodes, by whether they were answered",
            self.questions.clone(),
        );
        r.register(
            "cluster_connections_lost",
            "Connections of the link between nodes that ended, by connection",
            self.lost.clone(),
        );
        r.register(
            "cluster_nodes",
            "Other nodes that are there",
            self.nodes.clone(),
        );
    }
}
