//! The counters of spans and hooks: agents that are watched without code of their own.

use prometheus_client::{
    encoding::EncodeLabelSet,
    metrics::{counter::Counter, family::Family},
    registry::Registry,
};

/// The counters; a clone shares them.
#[derive(Debug, Clone, Default)]
pub struct WatchedMetrics {
    requests: Family<Signal, Counter>,
    spans: Family<Outcome, Counter>,
    left_out: Family<What, Counter>,
    forgotten: Family<Reason, Counter>,
    orphans: Counter,
    hooks: Family<Outcome, Counter>,
    sessions: Counter,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Signal {
    /// `traces`, `logs` or `metrics`.
    signal: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Outcome {
    outcome: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct What {
    what: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Reason {
    reason: &'static str,
}

impl WatchedMetrics {
    /// Counts a request of an exporter.
    pub fn request(&self, signal: &'static str) {
        self.requests.get_or_create(&Signal { signal }).inc();
    }

    /// Counts spans by what became of them.
    pub fn spans(&self, outcome: &'static str, count: usize) {
        add(&self.spans, &Outcome { outcome }, count);
    }

    /// Counts attributes that a limit left out.
    pub fn left_out(&self, what: &'static str, count: usize) {
        add(&self.left_out, &What { what }, count);
    }

    /// Counts spans that are no longer remembered.
    pub fn forgotten(&self, reason: &'static str, count: usize) {
        add(&self.forgotten, &Reason { reason }, count);
    }

    /// Counts spans that went without the parent that they waited for.
    pub fn orphans(&self, count: usize) {
        self.orphans.inc_by(count as u64);
    }

    /// Counts a hook by what became of it.
    pub fn hook(&self, outcome: &'static str) {
        self.hooks.get_or_create(&Outcome { outcome }).inc();
    }

    /// Counts a session of hooks that went on and is forgotten.
    pub fn session_forgotten(&self) {
        self.sessions.inc();
    }

    /// Registers the counters.
    pub fn register(&self, r: &mut Registry) {
        r.register(
            "otlp_requests",
            "Requests of OpenTelemetry's exporters, by signal (traces, logs, metrics); only traces are read",
            self.requests.clone(),
        );
        r.register(
            "otlp_spans",
            "Spans that came, by what became of them (taken, ignored, repeated, rejected, beyond, nameless, unreadable)",
            self.spans.clone(),
        );
        r.register(
            "otlp_left_out",
            "Attributes of spans that a limit left out (attributes, depth, values), and spans whose trace was a run in too many projects (runs)",
            self.left_out.clone(),
        );
        r.register(
            "otlp_forgotten",
            "Spans that are no longer remembered (number, bytes, age, producers)",
            self.forgotten.clone(),
        );
        r.register(
            "otlp_orphans",
            "Spans that went without an agent, since their parent did not come in time",
            self.orphans.clone(),
        );
        r.register(
            "hooks",
            "Hooks of Claude that came, by what became of them (published, or the code of their refusal)",
            self.hooks.clone(),
        );
        r.register(
            "hook_sessions_forgotten",
            "Sessions of Claude that had not ended and were forgotten for newer ones ([hooks] max_sessions)",
            self.sessions.clone(),
        );
    }
}

fn add<L: Clone + Eq + std::hash::Hash + std::fmt::Debug>(
    family: &Family<L, Counter>,
    label: &L,
    count: usize,
) {
    if count > 0 {
        family.get_or_create(label).inc_by(count as u64);
    }
}
