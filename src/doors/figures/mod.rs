//! The figures of the server, for operators at every door: its performance now, and how healthy it is.
//!
//! All of them are read from counters that are kept anyway, and from the readings of the last minute: a question costs
//! the loop nothing.

mod alerts;
mod performance;
mod sources;
mod usage;

use std::{fmt, sync::Arc, time::Instant};

use serde_json::{Value, json};

pub use sources::Sources;

use crate::{
    access::Authenticator,
    breaker::{BreakerSnapshot, BreakerState, Breakers},
    event::Object,
    intake::Intake,
    net::Quota,
    observe::{
        LONG_WINDOW, Metrics, Window,
        health::{self, Health, Keys, OpenBreaker, Vitals},
    },
    pace::BUDGETS,
    projections::analytics,
    timestamp::Timestamp,
};

/// The limits that figures are held against.
#[derive(Debug, Clone, Copy)]
pub struct FigureLimits {
    /// Connections that may be open.
    pub connections: usize,
    /// Bytes that the journal may have.
    pub journal_bytes: u64,
    /// Bytes of memory that the state may hold.
    pub state_bytes: usize,
    /// Bytes that may wait to be written.
    pub journal_queue_bytes: usize,
}

/// The parts whose figures are told.
#[derive(Debug, Clone)]
pub struct FigureParts {
    /// Readings of the last minute.
    pub window: Arc<Window>,
    /// The counters.
    pub metrics: Arc<Metrics>,
    /// Knows the journal, and how far the hub is behind it.
    pub intake: Arc<Intake>,
    /// Knows the identity provider's keys.
    pub authenticator: Arc<Authenticator>,
    /// Knows how many connections are open.
    pub quota: Arc<Quota>,
    /// Know the outside parts that fail.
    pub breakers: Breakers,
}

/// Everything that figures are made of.
pub struct Figures {
    parts: FigureParts,
    limits: FigureLimits,
    sources: Sources,
    started: Instant,
}

impl fmt::Debug for Figures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Figures")
    }
}

impl Figures {
    /// The figures of these parts.
    pub fn new(parts: FigureParts, limits: FigureLimits, sources: Sources) -> Self {
        Self {
            parts,
            limits,
            sources,
            started: Instant::now(),
        }
    }

    /// The body of `GET /api/v1/health`.
    pub fn health(&self) -> Object {
        let health = self.judge();
        object(json!({
            "health_score": health.score,
            "health_status": health.status(),
            "issues": health.sentences(),
            "issue_details": health.issues,
            "grades": health.grades,
            "checked_at": Timestamp::now(),
        }))
    }

    /// The health of this moment.
    pub fn judge(&self) -> Health {
        health::judge(&self.vitals())
    }

    /// The figures by which the health is judged.
    pub fn vitals(&self) -> Vitals {
        let now = self.parts.window.now();
        let minute_ago = self.parts.window.before(&now, LONG_WINDOW);
        let latency = now.latency_since(minute_ago.as_deref());
        let all = latency.iter().cloned().reduce(|sum, more| sum.with(&more));
        let waiting = self.parts.metrics.load.now();
        let journal = self.parts.intake.journal();
        let health = journal.health();
        let degradation = self.sources.degradation();
        let within = |level: usize| {
            let times = &latency[level];
            (
                times.count(),
                times.share_within(BUDGETS[level]).unwrap_or(1.0),
            )
        };
        let used = journal.metrics().used_bytes.get();
        Vitals {
            latency_ms: all.and_then(|all| Some((all.average_ms()?, all.quantile_ms(0.95)?))),
            within_budget: std::array::from_fn(within),
            success: now.success_since(minute_ago.as_deref()),
            connections: (
                self.parts.quota.taken() as u64,
                self.limits.connections as u64,
            ),
            behind: (waiting.behind as u64, waiting.members as u64),
            hub_lag: (self.parts.intake.lag(), self.parts.intake.limits().max_lag),
            journal_trouble: health.trouble,
            journal_damaged: health.damaged,
            journal_bytes: (
                u64::try_from(used).unwrap_or_default(),
                self.limits.journal_bytes,
            ),
            state_bytes: (waiting.state_bytes as u64, self.limits.state_bytes as u64),
            keys: self.keys(),
            breakers: self.open_breakers(),
            degradation: (degradation.step as u8, degradation.step.name().to_owned()),
            reconnections: analytics::reconnections(&self.parts.metrics.usage_picture()),
        }
    }

    /// Bytes that wait to be written, and how many may.
    pub fn journal_queue(&self) -> (u64, u64) {
        let waiting = self.parts.intake.journal().metrics().queue_bytes.get();
        (
            u64::try_from(waiting).unwrap_or_default(),
            self.limits.journal_queue_bytes as u64,
        )
    }

    /// The circuit breakers.
    pub fn breakers(&self) -> Vec<BreakerSnapshot> {
        self.parts.breakers.snapshot()
    }

    fn keys(&self) -> Keys {
        match self.parts.authenticator.tokens().jwks_state() {
            Some(state) if state.age.is_none() => Keys::Missing,
            Some(state) if state.error.is_some() => Keys::Stale,
            _ => Keys::Good,
        }
    }

    fn open_breakers(&self) -> Vec<OpenBreaker> {
        let breakers = self.parts.breakers.snapshot().into_iter();
        let open = breakers.filter(|breaker| breaker.state != BreakerState::Closed);
        open.map(|breaker| OpenBreaker {
            is_half_open: breaker.state == BreakerState::HalfOpen,
            name: breaker.name.to_owned(),
        })
        .collect()
    }
}

/// An object of these fields.
fn object(value: Value) -> Object {
    match value {
        Value::Object(fields) => fields,
        _ => Object::new(),
    }
}
