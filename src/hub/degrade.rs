//! The load of the loop, measured ten times a second, and the degradation that follows from it.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use serde_json::json;

use super::{Hub, requests::object};
use crate::{
    event::Priority,
    pace::{
        BUDGETS,
        degradation::{Bounds, Change, Controller, Degradation, Load, Step, Tempo},
    },
    timestamp::Timestamp,
};

/// The time over which the load is measured.
const SAMPLE: Duration = Duration::from_millis(100);

/// The settings of degradation.
#[derive(Debug, Clone)]
pub struct DegradationOptions {
    /// Whether anything is done about a load that is too high.
    pub enabled: bool,
    /// The load that is too high.
    pub bounds: Bounds,
    /// The times for which it is too high or low before something is done.
    pub tempo: Tempo,
    /// The time between two flushes from the first step on.
    pub flush_interval: Duration,
    /// The factor by which the windows of low priority are longer from the second step on.
    pub low_windows: u32,
    /// Tells all other parts of the step.
    pub told: Arc<Degradation>,
}

#[cfg(test)]
impl Default for DegradationOptions {
    /// Nothing is done: tests of other things are not slowed down by a busy machine.
    fn default() -> Self {
        Self {
            enabled: false,
            bounds: Bounds {
                busy: 1.0,
                lag: u64::MAX,
                late: 1.0,
            },
            tempo: Tempo {
                enter_after: Duration::MAX,
                leave_after: Duration::MAX,
            },
            flush_interval: Duration::ZERO,
            low_windows: 1,
            told: Arc::default(),
        }
    }
}

/// The measures since the last sample, and what became of the earlier ones.
#[derive(Debug)]
pub(super) struct LoadWatch {
    controller: Controller,
    began: Instant,
    busy: Duration,
    /// The fewest unsent events at the beginning of a turn: a queue that empties is a burst, and one that stands is too much
    /// load.
    lag: Option<u64>,
    /// Updates that went at once, and those of them that came later than their budget.
    sent: u64,
    late: u64,
}

impl LoadWatch {
    pub(super) fn new(options: &DegradationOptions) -> Self {
        Self {
            controller: Controller::new(options.bounds, options.tempo),
            began: Instant::now(),
            busy: Duration::ZERO,
            lag: None,
            sent: 0,
            late: 0,
        }
    }

    /// Notes the time of a turn.
    pub(super) fn took(&mut self, turn: Duration) {
        self.busy += turn;
    }

    /// Notes the events that are unsent when a turn begins to send.
    fn begins(&mut self, lag: u64) {
        self.lag = Some(self.lag.map_or(lag, |least| least.min(lag)));
    }

    /// Notes an update that waited for no window. Low priority may be late: it is what gives way.
    pub(super) fn sent(&mut self, priority: Priority, waited: Duration) {
        if priority != Priority::Low {
            self.sent += 1;
            self.late += u64::from(waited > BUDGETS[priority as usize]);
        }
    }

    /// The time of the next sample, while there is a step to be left.
    pub(super) fn due(&self) -> Option<Instant> {
        self.controller.is_awake().then(|| self.began + SAMPLE)
    }

    /// Takes a sample if it is time for one.
    fn sample(&mut self, now: Instant) -> Option<Change> {
        let time = now.saturating_duration_since(self.began);
        if time < SAMPLE {
            return None;
        }
        #[allow(clippy::cast_precision_loss)]
        let late = self.late as f64 / self.sent.max(1) as f64;
        let load = Load {
            busy: self.busy.as_secs_f64() / time.as_secs_f64(),
            lag: self.lag.take().unwrap_or_default(),
            late,
        };
        (self.began, self.busy) = (now, Duration::ZERO);
        (self.sent, self.late) = (0, 0);
        self.controller.observe(load, now)
    }
}

impl Hub {
    /// Counts what is unsent before a turn sends some of it.
    pub(super) fn weigh_load(&mut self) {
        if self.options.degradation.enabled {
            let journal = self.stream.journal();
            let accepted = *journal.watch().borrow() + journal.waiting();
            self.load
                .begins(accepted.saturating_sub(self.backlog.done()));
        }
    }

    /// Measures the load, and enters or leaves a step of degradation if that is what follows.
    pub(super) fn watch_load(&mut self, now: Instant) {
        if !self.options.degradation.enabled {
            return;
        }
        if let Some(change) = self.load.sample(now) {
            self.degrade(change);
        }
    }

    /// The time between two flushes.
    pub(super) fn flush_interval(&self) -> Duration {
        let degradation = &self.options.degradation;
        match self.load.controller.step() {
            Step::Normal => self.options.flush_interval,
            _ => degradation.flush_interval.max(self.options.flush_interval),
        }
    }

    fn degrade(&mut self, Change { from, to, load }: Change) {
        let degradation = &self.options.degradation;
        degradation.told.set(to);
        self.stream.stretch_low(match to >= Step::LowCoalesced {
            true => degradation.low_windows,
            false => 1,
        });
        let is_worse = to > from;
        let (busy, late) = (percent(load.busy), percent(load.late));
        if is_worse {
            tracing::warn!(
                step = to.name(),
                from = from.name(),
                busy,
                late,
                lag = load.lag,
                "the load is too high: {}",
                told(to)
            );
        } else {
            tracing::info!(
                step = to.name(),
                from = from.name(),
                busy,
                late,
                lag = load.lag,
                "the load is lower: {}",
                told(to)
            );
        }
        let notice = json!({
            "type": "system_notification", "level": if is_worse { "warning" } else { "info" },
            "message": format!("{}: {} (the loop is busy for {busy} % of the time, {} events wait, {late} % of urgent updates are late)",
                if is_worse { "The load is too high" } else { "The load is lower" }, told(to), load.lag),
            "degradation": { "step": to as u8, "name": to.name(), "from": from.name() },
            "timestamp": Timestamp::now(),
        });
        self.notify_operators("system_notification", object(notice), &[]);
    }
}

#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
fn percent(share: f64) -> u64 {
    (share * 100.0).round().max(0.0) as u64
}

/// The words about a step, with the act that helps.
fn told(step: Step) -> &'static str {
    match step {
        Step::Normal => "everything goes as usual again",
        Step::LargerBatches => "updates are sent in larger batches",
        Step::LowCoalesced => "updates of low priority are coalesced for longer",
        Step::LowRefused => {
            "events of low priority are refused with overloaded; let producers publish less, or give the server more processors"
        }
    }
}
