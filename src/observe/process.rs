//! Memory and processor time of this process, as the system counts them.

use std::{fs, sync::atomic::AtomicU64, time::Duration};

use prometheus_client::{metrics::gauge::Gauge, registry::Registry};

/// The system's counts; none where it does not tell them (outside of Linux).
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct ProcessUsage {
    /// Bytes of memory that are resident now.
    pub resident_bytes: Option<u64>,
    /// The most bytes that were resident at a time.
    pub peak_bytes: Option<u64>,
    /// Processor time since the start, of the program and of the system for it.
    pub processor: Option<Duration>,
}

/// The clock ticks in a second by which Linux tells processor time: the number is a part of its interface.
const TICKS_PER_SECOND: f64 = 100.0;

impl ProcessUsage {
    /// Reads the counts of this moment.
    pub fn now() -> Self {
        let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
        let stat = fs::read_to_string("/proc/self/stat").unwrap_or_default();
        Self {
            resident_bytes: kilobytes(&status, "VmRSS:"),
            peak_bytes: kilobytes(&status, "VmHWM:"),
            processor: processor(&stat),
        }
    }
}

/// The gauges of this process, set at each reading.
#[derive(Debug, Default)]
pub(super) struct ProcessMetrics {
    resident: Gauge,
    processor: Gauge<f64, AtomicU64>,
}

impl ProcessMetrics {
    pub(super) fn set(&self, usage: &ProcessUsage) {
        let bytes = usage.resident_bytes.unwrap_or_default();
        self.resident.set(i64::try_from(bytes).unwrap_or(i64::MAX));
        let spent = usage.processor.unwrap_or_default();
        self.processor.set(spent.as_secs_f64());
    }

    pub(super) fn register(&self, registry: &mut Registry) {
        registry.register(
            "process_resident_bytes",
            "Bytes of the process that are in memory",
            self.resident.clone(),
        );
        registry.register(
            "process_cpu_seconds",
            "Processor time of the process since its start",
            self.processor.clone(),
        );
    }
}

/// The value of a line like `VmRSS:    5120 kB`, in bytes.
fn kilobytes(status: &str, name: &str) -> Option<u64> {
    let line = status.lines().find_map(|line| line.strip_prefix(name))?;
    let number: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    number.checked_mul(1_024)
}

/// The processor time in a line of `/proc/self/stat`. The program's name in it may hold spaces and brackets, so the
/// fields are counted from the last bracket.
fn processor(stat: &str) -> Option<Duration> {
    let (_, fields) = stat.rsplit_once(')')?;
    let mut fields = fields.split_ascii_whitespace().skip(11);
    let user: f64 = fields.next()?.parse().ok()?;
    let system: f64 = fields.next()?.parse().ok()?;
    Duration::try_from_secs_f64((user + system) / TICKS_PER_SECOND).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_are_read_from_what_linux_writes() {
        let status = "Name:\tstoa\nVmPeak:\t  900 kB\nVmHWM:\t  80 kB\nVmRSS:\t      64 kB\n";
        assert_eq!(kilobytes(status, "VmRSS:"), Some(65_536));
        assert_eq!(kilobytes(status, "VmHWM:"), Some(81_920));
        let stat = "12 (a ) b) S 1 12 12 0 -1 4194304 9 0 0 0 150 50 0 0 20 0 3 0 99 1 2";
        assert_eq!(processor(stat), Some(Duration::from_secs(2)));
        for odd in ["", "12 (a", "12 (a) S 1", "VmRSS: many kB"] {
            assert_eq!((kilobytes(odd, "VmRSS:"), processor(odd)), (None, None));
        }
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn this_process_has_some_of_each() {
        let usage = ProcessUsage::now();
        assert!(usage.resident_bytes.is_some_and(|bytes| bytes > 100_000));
        assert!(usage.peak_bytes >= usage.resident_bytes);
        assert!(usage.processor.is_some());
    }
}
