//! The time that the turns of the hub's loop take: while one lasts, the loop stands still for everybody else.

use std::{
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

use prometheus_client::{
    metrics::{counter::Counter, gauge::Gauge},
    registry::Registry,
};

/// The longest turn of the hub's loop since the metrics were last read, so that a reader sees each stall once.
#[derive(Debug, Default)]
pub struct Stall {
    /// The longest turn in microseconds.
    longest: AtomicU64,
    /// The longest turn in seconds, as it was last read.
    gauge: Gauge<f64, AtomicU64>,
    /// All turns together, in seconds.
    busy: Counter<f64, AtomicU64>,
}

impl Stall {
    pub(super) fn register(&self, registry: &mut Registry) {
        registry.register(
            "hub_stall_seconds",
            "The longest turn of the ordered loop since this was last read",
            self.gauge.clone(),
        );
        registry.register(
            "hub_busy_seconds",
            "The time that all turns of the ordered loop took",
            self.busy.clone(),
        );
    }

    /// Notes the time of a turn.
    pub fn took(&self, turn: Duration) {
        let micros = u64::try_from(turn.as_micros()).unwrap_or(u64::MAX);
        self.longest.fetch_max(micros, Ordering::Relaxed);
        self.busy.inc_by(turn.as_secs_f64());
    }

    /// Moves the longest turn to the gauge, when the metrics are read.
    pub(super) fn is_read(&self) {
        let longest = Duration::from_micros(self.longest.swap(0, Ordering::Relaxed));
        self.gauge.set(longest.as_secs_f64());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_stall_is_read_once() {
        let stall = Stall::default();
        for millis in [3, 70, 5] {
            stall.took(Duration::from_millis(millis));
        }
        stall.is_read();
        assert!((stall.gauge.get() - 0.07).abs() < 1e-9);
        stall.is_read();
        assert!(stall.gauge.get().abs() < 1e-9);
        assert!((stall.busy.get() - 0.078).abs() < 1e-9);
    }
}
