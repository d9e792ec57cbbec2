//! Parts that tell their figures only when they are asked: degradation, and the alerts that hold.

use std::fmt;

use crate::{alerts::ActiveAlerts, pace::degradation::StepsTaken};

type Asked<T> = Option<Box<dyn Fn() -> T + Send + Sync>>;

/// The parts that are asked; one that is not there has nothing to tell.
#[derive(Default)]
pub struct Sources {
    degradation: Asked<StepsTaken>,
    alerts: Option<ActiveAlerts>,
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

    /// With the alerts that hold.
    #[must_use]
    pub fn with_alerts(mut self, alerts: ActiveAlerts) -> Self {
        self.alerts = Some(alerts);
        self
    }

    /// The alerts that hold; none where the settings want no alerts.
    pub(super) fn alerts(&self) -> Option<&ActiveAlerts> {
        self.alerts.as_ref()
    }

    /// The degradation now.
    pub fn degradation(&self) -> StepsTaken {
        self.degradation
            .as_ref()
            .map(|ask| ask())
            .unwrap_or_default()
    }
}
