//! The step of degradation as other parts see it.

use std::sync::atomic::{AtomicI64, AtomicU8, AtomicU64, Ordering};

use prometheus_client::{
    encoding::EncodeLabelSet,
    metrics::{counter::Counter, family::Family, gauge::Gauge},
    registry::Registry,
};

use super::step::Step;
use crate::timestamp::Timestamp;

/// The label of a step.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Name {
    step: &'static str,
}

/// The step now, written by the hub and read by everybody else without a lock.
#[derive(Debug, Default)]
pub struct Degradation {
    step: AtomicU8,
    /// The time at which the step was entered or come back to, in microseconds since 1970; 0 since the start.
    since: AtomicI64,
    /// The times that each step was entered, by its number.
    entered: [AtomicU64; Step::ALL.len()],
    gauge: Gauge,
    counted: Family<Name, Counter>,
}

/// The figures of the degradation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StepsTaken {
    /// The step now.
    pub step: Step,
    /// The time at which the step began; none for that of the start.
    pub since: Option<Timestamp>,
    /// The times that each step but the first was entered.
    pub entered: Vec<(&'static str, u64)>,
}

impl Default for StepsTaken {
    /// No step was ever taken.
    fn default() -> Self {
        Degradation::default().taken()
    }
}

impl Degradation {
    /// Registers the metrics, each step at zero.
    pub fn register(&self, registry: &mut Registry) {
        for step in Step::ALL.iter().skip(1) {
            let step = step.name();
            drop(self.counted.get_or_create(&Name { step }));
        }
        registry.register(
            "degradation_step",
            "The step of degradation under load: 0 normal, 1 larger_batches, 2 low_coalesced, 3 low_refused",
            self.gauge.clone(),
        );
        registry.register(
            "degradation_entered",
            "Times that a step of degradation was entered",
            self.counted.clone(),
        );
    }

    /// The step now.
    pub fn step(&self) -> Step {
        Step::from_repr(self.step.load(Ordering::Acquire)).unwrap_or_default()
    }

    /// Takes the step over that the controller decided on.
    pub fn set(&self, step: Step) {
        let before = self.step.swap(step as u8, Ordering::AcqRel);
        self.since
            .store(Timestamp::now().as_micros(), Ordering::Release);
        self.gauge.set(i64::from(step as u8));
        if step as u8 > before {
            if let Some(entered) = self.entered.get(step as usize) {
                entered.fetch_add(1, Ordering::Relaxed);
            }
            self.counted
                .get_or_create(&Name { step: step.name() })
                .inc();
        }
    }

    /// The figures now.
    pub fn taken(&self) -> StepsTaken {
        let since = self.since.load(Ordering::Acquire);
        let entered = Step::ALL.iter().zip(&self.entered).skip(1);
        StepsTaken {
            step: self.step(),
            since: (since != 0).then(|| Timestamp::from_micros(since)),
            entered: entered
                .map(|(step, count)| (step.name(), count.load(Ordering::Relaxed)))
                .collect(),
        }
    }
}
