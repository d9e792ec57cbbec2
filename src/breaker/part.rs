//! The breaker of one part.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use serde::Serialize;
use thiserror::Error;
use tokio::time::Instant;

use super::metrics::{Counters, Families};

/// Characters of an error that are kept: a peer may answer with a whole page.
const MAX_ERROR: usize = 256;

/// The limits of a breaker.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BreakerLimits {
    /// Failures in a row after which it opens.
    pub failures: u32,
    /// The time for which it stays open.
    pub open_for: Duration,
    /// Calls at a time that it lets through while it is half-open.
    pub probes: u32,
}

impl Default for BreakerLimits {
    fn default() -> Self {
        Self {
            failures: 5,
            open_for: Duration::from_secs(30),
            probes: 1,
        }
    }
}

/// The state of a breaker; a later one is worse.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum BreakerState {
    /// Calls go through.
    Closed,
    /// A few calls go through, to see whether the part is back.
    HalfOpen,
    /// No call goes through.
    Open,
}

impl BreakerState {
    const NAMES: [&'static str; 3] = ["closed", "half_open", "open"];

    /// The name of the state.
    pub fn name(self) -> &'static str {
        Self::NAMES[self as usize]
    }
}

/// The figures of one breaker.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct BreakerSnapshot {
    /// The part that it guards.
    pub name: &'static str,
    /// The state now.
    pub state: BreakerState,
    /// Failures in a row.
    pub failures: u32,
    /// Times that it opened since the start.
    pub opened: u64,
    /// The time until it lets a probe through, while it is open.
    pub retry_in_ms: Option<u64>,
    /// The last failure; none once a call succeeded.
    pub last_error: Option<String>,
}

/// The refusal of a call.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{error}; after {failures} failures in a row nothing is tried for a while ([breakers]); {}", again(*retry_in))]
pub struct Refused {
    /// Failures in a row.
    pub failures: u32,
    /// The last failure.
    pub error: String,
    /// The time until a call is let through again.
    pub retry_in: Duration,
}

fn again(wait: Duration) -> String {
    match wait.as_secs() {
        0 => "the next try is due within a second".into(),
        seconds => format!("the next try is due in {} s", seconds + 1),
    }
}

/// The circuit breaker of one part.
#[derive(Debug)]
pub struct Breaker {
    part: &'static str,
    limits: BreakerLimits,
    inner: Mutex<Inner>,
    counters: Counters,
}

#[derive(Debug)]
struct Inner {
    state: BreakerState,
    /// The beginning of the state.
    since: Instant,
    /// Grows with each change of the state: calls that began before a change decide nothing any more.
    generation: u64,
    /// Failures in a row.
    failures: u32,
    /// Probes under way.
    probes: u32,
    opened: u64,
    last_error: Option<String>,
}

/// A call that was let through. It must be told how it ended; one that is dropped counts as neither.
#[derive(Debug)]
#[must_use]
pub struct Permit {
    breaker: Arc<Breaker>,
    generation: u64,
}

impl Breaker {
    pub(super) fn new(part: &'static str, limits: BreakerLimits, families: &Families) -> Arc<Self> {
        let counters = families.of(part, BreakerState::NAMES);
        counters.show(BreakerState::Closed as usize);
        let inner = Inner {
            state: BreakerState::Closed,
            since: Instant::now(),
            generation: 0,
            failures: 0,
            probes: 0,
            opened: 0,
            last_error: None,
        };
        Arc::new(Self {
            part,
            limits,
            inner: Mutex::new(inner),
            counters,
        })
    }

    /// A breaker that is in no registry, and stays open for this time.
    pub fn alone(part: &'static str, open_for: Duration) -> Arc<Self> {
        let limits = BreakerLimits {
            open_for,
            ..BreakerLimits::default()
        };
        Self::new(part, limits, &Families::default())
    }

    /// The part that it guards.
    pub fn part(&self) -> &'static str {
        self.part
    }

    /// Lets a call through, or refuses and counts it.
    ///
    /// # Errors
    /// The breaker is open, or half-open with enough probes under way.
    pub fn permit(self: &Arc<Self>) -> Result<Permit, Refused> {
        self.begin().inspect_err(|_| {
            self.counters.refused.inc();
        })
    }

    /// Lets the part's own probe through if one is due; nobody is refused by it.
    pub fn probe(self: &Arc<Self>) -> Option<Permit> {
        self.begin().ok()
    }

    /// Refuses and counts a call while the breaker is not closed, of a part that makes its probes itself.
    ///
    /// # Errors
    /// The breaker is open or half-open.
    pub fn check(&self) -> Result<(), Refused> {
        self.trouble().map_or(Ok(()), |refused| {
            self.counters.refused.inc();
            Err(refused)
        })
    }

    /// The reason why the breaker is not closed; nobody is refused by it.
    pub fn trouble(&self) -> Option<Refused> {
        let inner = self.lock();
        (inner.state != BreakerState::Closed).then(|| self.refused(&inner))
    }

    /// Whether calls go through.
    pub fn is_closed(&self) -> bool {
        self.lock().state == BreakerState::Closed
    }

    /// The time until an open breaker lets a probe through.
    pub fn retry_in(&self) -> Option<Duration> {
        self.wait(&self.lock())
    }

    /// Notes that a call succeeded, whichever way it was made: the part is there.
    pub fn succeeded(&self) {
        self.settle(&mut self.lock(), Ok(()));
    }

    /// Notes that a call failed.
    pub fn failed(&self, error: &str) {
        self.settle(&mut self.lock(), Err(error));
    }

    /// Closes the breaker by hand; returns whether it was not closed.
    pub fn close(&self) -> bool {
        let mut inner = self.lock();
        let was_closed = inner.state == BreakerState::Closed;
        self.settle(&mut inner, Ok(()));
        !was_closed
    }

    /// The figures now.
    pub fn snapshot(&self) -> BreakerSnapshot {
        let inner = self.lock();
        let wait = self.wait(&inner);
        BreakerSnapshot {
            name: self.part,
            state: inner.state,
            failures: inner.failures,
            opened: inner.opened,
            retry_in_ms: wait.map(|wait| u64::try_from(wait.as_millis()).unwrap_or(u64::MAX)),
            last_error: inner.last_error.clone(),
        }
    }

    fn begin(self: &Arc<Self>) -> Result<Permit, Refused> {
        let mut inner = self.lock();
        if self.wait(&inner).is_some_and(|wait| wait.is_zero()) {
            self.change(&mut inner, BreakerState::HalfOpen);
        }
        match inner.state {
            BreakerState::Closed => {}
            BreakerState::HalfOpen if inner.probes < self.limits.probes => {
                inner.probes += 1;
                self.counters.probes.inc();
            }
            BreakerState::HalfOpen | BreakerState::Open => return Err(self.refused(&inner)),
        }
        Ok(Permit {
            breaker: self.clone(),
            generation: inner.generation,
        })
    }

    fn settle(&self, inner: &mut Inner, outcome: Result<(), &str>) {
        match outcome {
            Ok(()) => {
                inner.failures = 0;
                inner.last_error = None;
                if inner.state != BreakerState::Closed {
                    self.change(inner, BreakerState::Closed);
                    tracing::info!(part = self.part, "the circuit breaker closed");
                }
            }
            Err(error) => {
                self.counters.failures.inc();
                inner.failures = inner.failures.saturating_add(1);
                inner.last_error = Some(error.chars().take(MAX_ERROR).collect());
                match inner.state {
                    BreakerState::Closed if inner.failures >= self.limits.failures => {
                        inner.opened += 1;
                        self.counters.opened.inc();
                        self.change(inner, BreakerState::Open);
                        tracing::warn!(
                            part = self.part,
                            failures = inner.failures,
                            error,
                            open_for = self.limits.open_for.as_secs_f64(),
                            "the circuit breaker opened"
                        );
                    }
                    BreakerState::HalfOpen => self.change(inner, BreakerState::Open),
                    BreakerState::Closed | BreakerState::Open => {}
                }
            }
        }
    }

    fn change(&self, inner: &mut Inner, state: BreakerState) {
        inner.state = state;
        inner.since = Instant::now();
        inner.generation += 1;
        inner.probes = 0;
        self.counters.show(state as usize);
        tracing::debug!(part = self.part, state = state.name(), "a circuit breaker");
    }

    fn wait(&self, inner: &Inner) -> Option<Duration> {
        let is_open = inner.state == BreakerState::Open;
        is_open.then(|| self.limits.open_for.saturating_sub(inner.since.elapsed()))
    }

    fn refused(&self, inner: &Inner) -> Refused {
        Refused {
            failures: inner.failures,
            error: inner.last_error.clone().unwrap_or_default(),
            retry_in: self.wait(inner).unwrap_or_default(),
        }
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Permit {
    /// Notes how the call ended.
    pub fn settle<E: std::fmt::Display>(self, outcome: Result<(), E>) {
        let mut inner = self.breaker.lock();
        let is_late = inner.generation != self.generation;
        match outcome {
            Ok(()) if is_late => {}
            Err(_) if is_late => drop(self.breaker.counters.failures.inc()),
            Ok(()) => self.breaker.settle(&mut inner, Ok(())),
            Err(error) => self.breaker.settle(&mut inner, Err(&error.to_string())),
        }
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        let mut inner = self.breaker.lock();
        if inner.generation == self.generation && inner.state == BreakerState::HalfOpen {
            inner.probes = inner.probes.saturating_sub(1);
        }
    }
}
