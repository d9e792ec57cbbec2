//! The attempts of clients and producers: how many were accepted, how many refused, and at how many the server failed,
//! for the success rate.
//!
//! An attempt is an event that is published, a client that connects, or another request, over HTTP or as a client's
//! event. One that is refused counts wherever its refusal is counted. A client can refuse itself as often as it likes, by
//! requests that are wrong or forbidden: only failures of the server are held against it.

use prometheus_client::{
    encoding::EncodeLabelSet,
    metrics::{counter::Counter, family::Family},
    registry::Registry,
};

use crate::error::Error;

/// Reasons beside the codes of refusals for which a failure is the server's: it has no room for anybody.
const FAILURES: [&str; 5] = [
    "overloaded",
    "unavailable",
    "accept",
    "max_connections",
    "max_pending_sessions",
];

/// A refusal as it is counted.
#[derive(Debug, Clone, Copy)]
pub struct Refusal {
    /// The code, or the name of a limit.
    pub(super) code: &'static str,
    /// Whether the server failed; otherwise the client did something that is wrong or not allowed.
    is_failure: bool,
}

impl From<&Error> for Refusal {
    fn from(error: &Error) -> Self {
        Self {
            code: error.code,
            is_failure: error.is_failure(),
        }
    }
}

impl From<&'static str> for Refusal {
    fn from(code: &'static str) -> Self {
        Self {
            code,
            is_failure: FAILURES.contains(&code),
        }
    }
}

/// The counts of attempts; a clone shares them.
#[derive(Debug, Clone)]
pub struct Attempts {
    all: Family<Outcome, Counter>,
    ok: Counter,
    refused: Counter,
    failed: Counter,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Outcome {
    /// `ok`, `refused` or `failed`.
    outcome: &'static str,
}

impl Default for Attempts {
    fn default() -> Self {
        let all = Family::<Outcome, Counter>::default();
        let of = |outcome| all.get_or_create(&Outcome { outcome }).clone();
        Self {
            ok: of("ok"),
            refused: of("refused"),
            failed: of("failed"),
            all,
        }
    }
}

impl Attempts {
    /// Counts attempts that were accepted.
    pub fn succeed(&self, count: usize) {
        self.ok.inc_by(count as u64);
    }

    /// Counts an attempt that was refused, or that the server failed at.
    pub(super) fn refuse(&self, refusal: Refusal) {
        let counter = match refusal.is_failure {
            true => &self.failed,
            false => &self.refused,
        };
        counter.inc();
    }

    /// The accepted attempts since the start of the process.
    pub fn succeeded(&self) -> u64 {
        self.ok.get()
    }

    /// The refused attempts since the start of the process: clients' own faults.
    pub fn refused(&self) -> u64 {
        self.refused.get()
    }

    /// The attempts since the start of the process at which the server failed.
    pub fn failed(&self) -> u64 {
        self.failed.get()
    }

    pub(super) fn register(&self, registry: &mut Registry) {
        registry.register(
            "attempts",
            "Published events, connects and requests: accepted (ok), refused for what the client did (refused), or failed at by the server (failed)",
            self.all.clone(),
        );
    }
}
