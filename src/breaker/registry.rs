//! The breakers of all parts of one server.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use prometheus_client::registry::Registry;

use super::{
    metrics::Families,
    part::{Breaker, BreakerLimits, BreakerSnapshot, BreakerState},
};
use crate::error::Error;

/// The breakers of all parts; a clone shares them.
#[derive(Debug, Clone, Default)]
pub struct Breakers(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    limits: BreakerLimits,
    families: Families,
    parts: Mutex<Vec<Arc<Breaker>>>,
}

impl Breakers {
    /// Breakers with these limits, of no part yet.
    pub fn new(limits: BreakerLimits) -> Self {
        Self(Arc::new(Shared {
            limits,
            ..Shared::default()
        }))
    }

    /// Registers the counters.
    pub fn register(&self, registry: &mut Registry) {
        self.0.families.register(registry);
    }

    /// The limits of parts that have none of their own.
    pub fn limits(&self) -> BreakerLimits {
        self.0.limits
    }

    /// The breaker of a part, made when it is first asked for.
    pub fn part(&self, name: &'static str) -> Arc<Breaker> {
        self.part_with(name, self.0.limits)
    }

    /// The same for a part with limits of its own.
    pub fn part_with(&self, name: &'static str, limits: BreakerLimits) -> Arc<Breaker> {
        let mut parts = self.parts();
        if let Some(breaker) = parts.iter().find(|breaker| breaker.part() == name) {
            return breaker.clone();
        }
        let breaker = Breaker::new(name, limits, &self.0.families);
        parts.push(breaker.clone());
        breaker
    }

    /// The figures of all breakers.
    pub fn snapshot(&self) -> Vec<BreakerSnapshot> {
        let parts = self.parts();
        parts.iter().map(|breaker| breaker.snapshot()).collect()
    }

    /// The worst state of all breakers.
    pub fn worst(&self) -> BreakerState {
        let states = self.snapshot().into_iter().map(|breaker| breaker.state);
        states.max().unwrap_or(BreakerState::Closed)
    }

    /// Closes the breaker of a part; returns whether it was not closed.
    ///
    /// # Errors
    /// `not_found`: no part has this name.
    pub fn close(&self, name: &str) -> Result<bool, Error> {
        let parts = self.parts();
        if let Some(breaker) = parts.iter().find(|breaker| breaker.part() == name) {
            return Ok(breaker.close());
        }
        let names: Vec<_> = parts.iter().map(|breaker| breaker.part()).collect();
        let there_are = match names.as_slice() {
            [] => "this server calls no outside part".to_owned(),
            names => format!("there are: {}", names.join(", ")),
        };
        let message = format!("no circuit breaker has this name; {there_are}");
        Err(Error::new("not_found", message))
    }

    fn parts(&self) -> MutexGuard<'_, Vec<Arc<Breaker>>> {
        self.0.parts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
