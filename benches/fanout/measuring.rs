//! The cost of one phase for the server, and the latency of its updates.

use std::{sync::atomic::Ordering, time::Instant};

use kit::process::{memory, processor};
use serde::{Deserialize, Serialize};

use super::load::Counts;

/// One measurement.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Phase {
    pub(crate) deliveries: u64,
    /// Packets that are no deliveries of what was published.
    pub(crate) others: u64,
    pub(crate) seconds: f64,
    /// Of the server, in seconds.
    pub(crate) cpu: f64,
    /// Of that, in the kernel.
    pub(crate) kernel: f64,
    /// Of the server, in KiB.
    pub(crate) rss: f64,
    /// In milliseconds.
    pub(crate) p50: f64,
    pub(crate) p99: f64,
}

/// A measurement that goes on.
pub(crate) struct Measuring<'a> {
    counts: &'a Counts,
    process: u32,
    begun: Instant,
    cpu: (f64, f64),
    deliveries: u64,
    others: u64,
}

impl<'a> Measuring<'a> {
    pub(crate) fn begin(counts: &'a Counts, process: u32) -> Self {
        counts.latencies.lock().expect("no panic").clear();
        counts.measuring.store(true, Ordering::Relaxed);
        Self {
            counts,
            process,
            begun: Instant::now(),
            cpu: processor(process).unwrap_or_default(),
            deliveries: counts.deliveries.load(Ordering::Relaxed),
            others: counts.others.load(Ordering::Relaxed),
        }
    }

    pub(crate) fn end(self) -> Phase {
        self.counts.measuring.store(false, Ordering::Relaxed);
        let (user, kernel) = processor(self.process).unwrap_or_default();
        let mut latencies = self.counts.latencies.lock().expect("no panic");
        latencies.sort_unstable();
        let at = |percent: usize| f64::from(latencies[(latencies.len() - 1) * percent / 100]) / 1e3;
        Phase {
            deliveries: self.counts.deliveries.load(Ordering::Relaxed) - self.deliveries,
            others: self.counts.others.load(Ordering::Relaxed) - self.others,
            seconds: self.begun.elapsed().as_secs_f64(),
            cpu: user + kernel - self.cpu.0 - self.cpu.1,
            kernel: kernel - self.cpu.1,
            rss: memory(self.process, "VmRSS").unwrap_or_default() as f64,
            p50: at(50),
            p99: at(99),
        }
    }
}
