//! The controller: enters a step when the load stays too high, and leaves it when the load stays low. Plain data; time is a
//! parameter.

use std::time::{Duration, Instant};

use super::step::Step;

/// The load of a short time.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Load {
    /// The part of the time for which the loop was busy.
    pub busy: f64,
    /// Events that are accepted and not sent.
    pub lag: u64,
    /// The part of the updates that went at once, of all priorities but low, which came later than their budget.
    pub late: f64,
}

/// The load that is too high.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Bounds {
    /// The part of the time for which the loop may be busy.
    pub busy: f64,
    /// Events that may wait.
    pub lag: u64,
    /// The part of updates that may be late: one in a hundred, since budgets are for 99 of 100.
    pub late: f64,
}

impl Bounds {
    fn has_urgent_late(&self, load: &Load) -> bool {
        load.late > self.late
    }

    fn is_over(&self, load: &Load) -> bool {
        load.busy > self.busy || load.lag > self.lag || self.has_urgent_late(load)
    }

    /// Whether the load is so low that a milder step holds it: half of each bound, and nothing late.
    fn is_under(&self, load: &Load) -> bool {
        load.busy < self.busy / 2.0 && load.lag <= self.lag / 2 && load.late <= 0.0
    }
}

/// The times of the controller.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tempo {
    /// The time for which the load is too high before the next step is entered.
    pub enter_after: Duration,
    /// The time for which the load is low before a step is left.
    pub leave_after: Duration,
}

/// Low priority is refused only after the load was too high for so many times as long, unless what is more urgent comes
/// late: a producer that fills the server alone waits for its own events, which costs nobody else anything.
const PATIENT: u32 = 4;
/// The most time that one sample stands for: while nothing happens there are none.
const MAX_SAMPLE: Duration = Duration::from_millis(250);
/// A step that is entered again soon after it was left is held for longer, up to so many times as long.
const MAX_HOLD: u32 = 8;

/// A step was entered or left.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Change {
    /// The step before.
    pub from: Step,
    /// The step from now on.
    pub to: Step,
    /// The load by which this was decided.
    pub load: Load,
}

/// The controller.
#[derive(Debug)]
pub struct Controller {
    bounds: Bounds,
    tempo: Tempo,
    step: Step,
    /// For how long the load was too high. A time below the bounds takes half of itself off: a queue whose producers are made
    /// to wait goes up and down. Set anew with each step.
    over: Duration,
    /// The time of the last sample.
    sampled: Option<Instant>,
    /// The time at which the load began to be low without a pause; set anew with each step.
    under_since: Option<Instant>,
    /// The time at which a step was last left.
    left: Option<Instant>,
    /// The factor by which a step is held longer than usual.
    hold: u32,
}

impl Controller {
    /// A controller at the first step.
    pub fn new(bounds: Bounds, tempo: Tempo) -> Self {
        Self {
            bounds,
            tempo,
            step: Step::Normal,
            over: Duration::ZERO,
            sampled: None,
            under_since: None,
            left: None,
            hold: 1,
        }
    }

    /// The step now.
    pub fn step(&self) -> Step {
        self.step
    }

    /// Whether samples are wanted although nothing happens: there is a step to be left, or one about to be entered.
    pub fn is_awake(&self) -> bool {
        self.step != Step::Normal || !self.over.is_zero()
    }

    /// Takes a sample of the load; returns the change that follows from it.
    pub fn observe(&mut self, load: Load, now: Instant) -> Option<Change> {
        let since = self.sampled.replace(now).unwrap_or(now);
        let time = now.saturating_duration_since(since).min(MAX_SAMPLE);
        if self.bounds.is_over(&load) {
            self.under_since = None;
            self.over += time;
            let to = self.step.harder()?;
            let is_urgent = to != Step::LowRefused || self.bounds.has_urgent_late(&load);
            let wait = self.tempo.enter_after * if is_urgent { 1 } else { PATIENT };
            if self.over < wait {
                return None;
            }
            let is_soon = |left: Instant| now.saturating_duration_since(left) < 2 * self.held();
            self.hold = match self.left.is_some_and(is_soon) {
                true => (self.hold * 2).min(MAX_HOLD),
                false => self.hold,
            };
            return Some(self.go(to, load, now));
        }
        self.over = self.over.saturating_sub(time / 2);
        if !self.bounds.is_under(&load) {
            self.under_since = None;
            return None;
        }
        let since = *self.under_since.get_or_insert(now);
        let calm = now.saturating_duration_since(since);
        let Some(to) = self.step.milder() else {
            if calm >= self.held() {
                self.hold = 1;
            }
            return None;
        };
        if calm < self.held() {
            return None;
        }
        self.left = Some(now);
        Some(self.go(to, load, now))
    }

    /// The time for which the load must be low now before a step is left.
    fn held(&self) -> Duration {
        self.tempo.leave_after * self.hold
    }

    fn go(&mut self, to: Step, load: Load, now: Instant) -> Change {
        let from = std::mem::replace(&mut self.step, to);
        // The time to the next change begins anew.
        let is_harder = to > from;
        self.over = Duration::ZERO;
        self.under_since = (!is_harder).then_some(now);
        Change { from, to, load }
    }
}
