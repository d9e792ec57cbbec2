//! The last minute: readings of the counters, one a second, so that rates and distributions of a window are the
//! difference of two of them. What happens costs nothing more for it, and the memory is fixed.

use std::{
    collections::VecDeque,
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use super::{metrics::Metrics, process::ProcessUsage, times::Distribution};
use crate::event::Priority;

/// The time between two readings.
const READING_INTERVAL: Duration = Duration::from_secs(1);
/// The window of rates.
pub const RATE_WINDOW: Duration = Duration::from_secs(10);
/// The window of distributions and of the success rate.
pub const LONG_WINDOW: Duration = Duration::from_secs(60);
/// The readings that are kept: those of the long window, and the one before it.
const MAX_READINGS: usize = 62;

/// The counters that are read.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Totals {
    /// Updates sent, once each.
    pub updates: u64,
    /// Events kept.
    pub events: u64,
    /// Updates queued for an observer.
    pub deliveries: u64,
    /// Publishes, connects and requests that were accepted.
    pub succeeded: u64,
    /// Those that were refused for what the client did.
    pub refused: u64,
    /// Those at which the server failed.
    pub failed: u64,
    /// Bytes from clients.
    pub received: u64,
    /// Bytes to clients.
    pub sent: u64,
    /// Processor time in seconds.
    pub processor: f64,
}

/// All counters at one moment.
#[derive(Debug, Clone)]
pub struct Reading {
    /// The moment.
    pub at: Instant,
    /// The counters.
    pub totals: Totals,
    /// From accepted to written, most urgent priority first.
    pub latency: [Distribution; Priority::ALL.len()],
    /// From request to greeting.
    pub connect: Distribution,
    /// Memory and processor time.
    pub process: ProcessUsage,
}

impl Reading {
    /// The seconds since an earlier reading; never none, since rates are divided by it.
    fn seconds_since(&self, earlier: &Self) -> f64 {
        let passed = self.at.saturating_duration_since(earlier.at);
        passed.as_secs_f64().max(0.001)
    }

    /// A counter's increase in a second since an earlier reading.
    pub fn rate_since(&self, earlier: &Self, of: impl Fn(&Totals) -> u64) -> f64 {
        let grown = of(&self.totals).saturating_sub(of(&earlier.totals));
        grown as f64 / self.seconds_since(earlier)
    }

    /// The times from accepted to written since an earlier reading, most urgent priority first.
    pub fn latency_since(&self, earlier: Option<&Self>) -> [Distribution; Priority::ALL.len()] {
        std::array::from_fn(|level| match earlier {
            Some(earlier) => self.latency[level].since(&earlier.latency[level]),
            None => self.latency[level].clone(),
        })
    }

    /// The times from request to greeting since an earlier reading.
    pub fn connect_since(&self, earlier: Option<&Self>) -> Distribution {
        match earlier {
            Some(earlier) => self.connect.since(&earlier.connect),
            None => self.connect.clone(),
        }
    }

    /// The attempts since an earlier reading that the server accepted or failed at, and the share of the accepted ones; all,
    /// where there were none. Attempts that clients had refused by their own fault are not among them.
    pub fn success_since(&self, earlier: Option<&Self>) -> (u64, f64) {
        let before = earlier.map_or(Totals::default(), |earlier| earlier.totals);
        let succeeded = self.totals.succeeded.saturating_sub(before.succeeded);
        let failed = self.totals.failed.saturating_sub(before.failed);
        let all = succeeded + failed;
        let rate = match all {
            0 => 1.0,
            all => succeeded as f64 / all as f64,
        };
        (all, rate)
    }

    /// The share of the attempts since an earlier reading that were refused for what the client did; none, where there were
    /// none.
    pub fn refused_since(&self, earlier: Option<&Self>) -> f64 {
        let before = earlier.map_or(Totals::default(), |earlier| earlier.totals);
        let refused = self.totals.refused.saturating_sub(before.refused);
        match self.success_since(earlier).0 + refused {
            0 => 0.0,
            all => refused as f64 / all as f64,
        }
    }

    /// The processors that were busy since an earlier reading, on average; 1.0 is all of one.
    pub fn busy_since(&self, earlier: &Self) -> f64 {
        let spent = self.totals.processor - earlier.totals.processor;
        spent.max(0.0) / self.seconds_since(earlier)
    }
}

/// The readings of the last minute.
pub struct Window {
    metrics: Arc<Metrics>,
    /// Oldest first. Locked to add a reading or to clone two pointers.
    readings: Mutex<VecDeque<Arc<Reading>>>,
}

impl fmt::Debug for Window {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Window")
    }
}

impl Window {
    /// A window that begins now.
    pub fn new(metrics: Arc<Metrics>) -> Arc<Self> {
        let first = Arc::new(read(&metrics));
        Arc::new(Self {
            metrics,
            readings: Mutex::new(VecDeque::from([first])),
        })
    }

    /// Reads the counters each second. Never returns.
    pub async fn keep(self: Arc<Self>) {
        let mut interval = tokio::time::interval(READING_INTERVAL);
        interval.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            interval.tick().await;
            self.add(read(&self.metrics));
        }
    }

    /// The counters now.
    pub fn now(&self) -> Reading {
        read(&self.metrics)
    }

    /// The newest reading that is at least so old; the oldest one where none is.
    pub fn before(&self, now: &Reading, span: Duration) -> Option<Arc<Reading>> {
        let readings = self.lock();
        let old = |reading: &&Arc<Reading>| now.at.saturating_duration_since(reading.at) >= span;
        let found = readings.iter().rev().find(old).or_else(|| readings.front());
        found.cloned()
    }

    fn add(&self, reading: Reading) {
        let mut readings = self.lock();
        if readings.len() == MAX_READINGS {
            readings.pop_front();
        }
        readings.push_back(Arc::new(reading));
    }

    fn lock(&self) -> MutexGuard<'_, VecDeque<Arc<Reading>>> {
        self.readings.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn read(metrics: &Metrics) -> Reading {
    let process = ProcessUsage::now();
    metrics.process(&process);
    let (received, sent) = metrics.sockets.bytes();
    let attempts = &metrics.attempts;
    Reading {
        at: Instant::now(),
        totals: Totals {
            updates: metrics.by_priority.iter().map(|(n, _)| n.get()).sum(),
            events: metrics.events.get(),
            deliveries: metrics.deliveries.get(),
            succeeded: attempts.succeeded(),
            refused: attempts.refused(),
            failed: attempts.failed(),
            received,
            sent,
            processor: process.processor.unwrap_or_default().as_secs_f64(),
        },
        latency: metrics.sockets.latency(),
        connect: metrics.sockets.connect(),
        process,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reading(metrics: &Metrics, start: Instant, second: u64) -> Reading {
        Reading {
            at: start + Duration::from_secs(second),
            ..read(metrics)
        }
    }

    #[test]
    fn a_window_slides_and_keeps_no_more_than_a_minute() {
        let metrics = Metrics::new();
        let window = Window::new(metrics.clone());
        let start = Instant::now() + Duration::from_secs(1);
        for second in 0..500 {
            metrics.events(3, 0);
            window.add(reading(&metrics, start, second));
        }
        assert_eq!(window.lock().len(), MAX_READINGS);
        let now = reading(&metrics, start, 499);
        let rate = |span| {
            let before = window.before(&now, span).expect("a reading");
            now.rate_since(&before, |totals| totals.events)
        };
        assert!((rate(RATE_WINDOW) - 3.0).abs() < 1e-9);
        assert!((rate(LONG_WINDOW) - 3.0).abs() < 1e-9);
        let oldest = window.before(&now, Duration::from_secs(9_999));
        let age = now.at - oldest.expect("a reading").at;
        assert!(age >= LONG_WINDOW && age < LONG_WINDOW + Duration::from_secs(3));
    }

    #[test]
    fn a_rate_of_a_young_server_counts_from_its_start() {
        let metrics = Metrics::new();
        let window = Window::new(metrics.clone());
        metrics.events(4, 0);
        let mut now = window.now();
        let first = window.before(&now, RATE_WINDOW).expect("a reading");
        now.at = first.at + Duration::from_secs(2);
        let rate = now.rate_since(&first, |totals| totals.events);
        assert!((rate - 2.0).abs() < 1e-9, "{rate}");
    }
}
