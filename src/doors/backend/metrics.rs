//! The counters of calls to the service.

use prometheus_client::{
    encoding::EncodeLabelSet,
    metrics::{counter::Counter, family::Family, gauge::Gauge, histogram::Histogram},
    registry::Registry,
};

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Ended {
    kind: &'static str,
    outcome: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Done {
    operation: &'static str,
    /// `ok`, or the code of the refusal.
    code: &'static str,
}

/// The counters; a clone counts the same.
#[derive(Debug, Clone)]
pub(crate) struct BackendMetrics {
    calls: Family<Ended, Counter>,
    seconds: Histogram,
    retries: Counter,
    pub(super) in_flight: Gauge,
    pub(super) waiting: Gauge,
    pub(super) waiting_bytes: Gauge,
    pub(super) session_bytes: Gauge,
    pub(super) sessions_refused: Counter,
    pub(super) headers_left_out: Counter,
    pub(super) disconnects_waiting: Gauge,
    pub(super) disconnects_lost: Counter,
    operations: Family<Done, Counter>,
}

impl Default for BackendMetrics {
    fn default() -> Self {
        let bounds = [
            0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0,
        ];
        Self {
            calls: Family::default(),
            seconds: Histogram::new(bounds),
            retries: Counter::default(),
            in_flight: Gauge::default(),
            waiting: Gauge::default(),
            waiting_bytes: Gauge::default(),
            session_bytes: Gauge::default(),
            sessions_refused: Counter::default(),
            headers_left_out: Counter::default(),
            disconnects_waiting: Gauge::default(),
            disconnects_lost: Counter::default(),
            operations: Family::default(),
        }
    }
}

impl BackendMetrics {
    /// Registers the counters.
    pub(crate) fn register(&self, r: &mut Registry) {
        r.register(
            "backend_calls",
            "Calls to the application, by kind (connect, event, disconnect) and outcome",
            self.calls.clone(),
        );
        r.register(
            "backend_call_seconds",
            "Time from the moment at which a call may be sent to its answer",
            self.seconds.clone(),
        );
        r.register(
            "backend_retries",
            "Further tries of calls of which nothing was sent, or that were answered by 503 with Retry-After",
            self.retries.clone(),
        );
        r.register(
            "backend_in_flight",
            "Calls under way",
            self.in_flight.clone(),
        );
        r.register(
            "backend_waiting",
            "Calls that wait for their turn",
            self.waiting.clone(),
        );
        r.register(
            "backend_waiting_bytes",
            "Bytes of client events that wait, while there is an application",
            self.waiting_bytes.clone(),
        );
        r.register(
            "backend_session_bytes",
            "Bytes of the session data of all clients",
            self.session_bytes.clone(),
        );
        r.register(
            "backend_sessions_refused",
            "Session data that was not kept because it is too large, or too much in all",
            self.sessions_refused.clone(),
        );
        r.register(
            "backend_headers_left_out",
            "Headers of clients that the application is not shown because they are too long",
            self.headers_left_out.clone(),
        );
        r.register(
            "backend_disconnects_waiting",
            "Disconnects that could not be handed over and are tried again",
            self.disconnects_waiting.clone(),
        );
        r.register(
            "backend_disconnects_lost",
            "Disconnects of which the application was not told, or may not have been",
            self.disconnects_lost.clone(),
        );
        r.register(
            "operations",
            "Operations of the application and of requests, by name and code (ok, or that of the refusal)",
            self.operations.clone(),
        );
    }

    pub(super) fn ended(&self, kind: &'static str, outcome: &'static str) {
        self.calls.get_or_create(&Ended { kind, outcome }).inc();
    }

    pub(super) fn took(&self, seconds: f64) {
        self.seconds.observe(seconds);
    }

    pub(super) fn tried_again(&self) {
        self.retries.inc();
    }

    /// Counts an operation.
    pub(crate) fn operation(&self, operation: &'static str, code: &'static str) {
        self.operations
            .get_or_create(&Done { operation, code })
            .inc();
    }
}
