//! Figures of parts that tell them only when they are asked: degradation.

use std::fmt;

use crate::timestamp::Timestamp;

/// The step of degradation under load.
#[derive(Debug, Clone, PartialEq)]
pub struct Degradation {
    /// 0 while all is well.
    pub step: u8,
    /// The step's name.
    pub name: &'static str,
    /// The time at which the step was entered; `None` for the one of the start.
    pub since: Option<Timestamp>,
    /// Times that each step was entered, by name.
    pub entered: Vec<(&'static str, u64)>,
}

impl Default for Degradation {
    fn default() -> Self {
        let steps = ["larger_batches", "low_coalesced", "low_refused"];
        Self {
            step: 0,
            name: "normal",
            since: None,
            entered: steps.map(|name| (name, 0)).to_vec(),
        }
    }
}

type Asked<T> = Option<Box<dyn Fn() -> T + Send + Sync>>;

/// The parts that are asked; one that is not there has nothing to tell.
#[derive(Default)]
pub struct Sources {
    degradation: Asked<Degradation>,
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
        ask: impl Fn() -> Degradation + Send + Sync + 'static,
    ) -> Self {
        self.degradation = Some(Box::new(ask));
        self
    }

    /// The degradation now.
    pub fn degradation(&self) -> Degradation {
        self.degradation
            .as_ref()
            .map(|ask| ask())
            .unwrap_or_default()
    }
}
