//! Figures of parts that tell them only when they are asked: degradation.

use std::fmt;

use crate::pace::degradation::StepsTaken;

type Asked<T> = Option<Box<dyn Fn() -> T + Send + Sync>>;

/// The parts that are asked; one that is not there has nothing to tell.
#[derive(Default)]
pub struct Sources {
    degradation: Asked<StepsTaken>,
}

impl fmt::Debug for Sources {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Sources")
    }
}

impl Sources {
    /// With the steps of degradation.
    #[must_use]
    pub fn with_degradation(
        mut self,
        ask: impl Fn() -> StepsTaken + Send + Sync + 'static,
    ) -> Self {
        self.degradation = Some(Box::new(ask));
        self
    }

    /// The degradation now.
    pub fn degradation(&self) -> StepsTaken {
        self.degradation
            .as_ref()
            .map(|ask| ask())
            .unwrap_or_default()
    }
}
