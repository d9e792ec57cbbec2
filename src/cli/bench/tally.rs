//! The figures that the clients of one thread keep.

use std::{collections::BTreeMap, time::Duration};

use hdrhistogram::Histogram;
use serde::{Serialize, Serializer, ser::SerializeMap};

use super::packet::event_name;

/// The longest latency that is told from longer ones, in µs.
const MAX_MICROS: u64 = 600_000_000;
/// The digits of a latency that are kept.
const DIGITS: u8 = 3;
/// Names of events that are remembered, to be named where nothing is counted.
const MAX_NAMES: usize = 20;

/// Latencies in µs.
#[derive(Debug, Clone)]
pub(super) struct Latencies(Histogram<u64>);

impl Latencies {
    pub(super) fn new() -> Result<Self, String> {
        Histogram::new_with_bounds(1, MAX_MICROS, DIGITS)
            .map(Self)
            .map_err(|error| format!("no histogram: {error}"))
    }

    /// Notes a latency.
    #[inline]
    pub(super) fn note(&mut self, nanos: u64) {
        self.0.saturating_record(nanos / 1_000);
    }

    pub(super) fn note_time(&mut self, time: Duration) {
        self.note(u64::try_from(time.as_nanos()).unwrap_or(u64::MAX));
    }

    pub(super) fn add(&mut self, other: &Self) {
        self.0.add(&other.0).ok();
    }

    pub(super) fn count(&self) -> u64 {
        self.0.len()
    }

    /// A percentile in ms.
    pub(super) fn at(&self, percentile: f64) -> f64 {
        self.0.value_at_percentile(percentile) as f64 / 1e3
    }

    pub(super) fn max(&self) -> f64 {
        self.0.max() as f64 / 1e3
    }
}

impl Serialize for Latencies {
    /// In ms; null without any.
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if self.count() == 0 {
            return serializer.serialize_none();
        }
        let mut map = serializer.serialize_map(Some(6))?;
        for (name, percentile) in PERCENTILES {
            map.serialize_entry(name, &self.at(percentile))?;
        }
        map.serialize_entry("max", &self.max())?;
        map.serialize_entry("mean", &(self.0.mean() / 1e3))?;
        map.end()
    }
}

/// The percentiles that are reported.
pub(super) const PERCENTILES: [(&str, f64); 4] =
    [("p50", 50.0), ("p90", 90.0), ("p99", 99.0), ("p999", 99.9)];

/// The updates that the clients of one thread have got.
#[derive(Debug)]
pub(super) struct Tally {
    pub(super) latencies: Latencies,
    /// Deliveries that were measured, and their bytes.
    pub(super) deliveries: u64,
    pub(super) bytes: u64,
    /// The time of the last of them, in ns since the run began.
    pub(super) last: u64,
    /// Packets that are no deliveries.
    pub(super) others: u64,
    /// The index and the length of the newest update before the run.
    pub(super) probe: Option<(u64, usize)>,
    /// Other events by name.
    names: BTreeMap<String, u64>,
}

impl Tally {
    pub(super) fn new() -> Result<Self, String> {
        Ok(Self {
            latencies: Latencies::new()?,
            deliveries: 0,
            bytes: 0,
            last: 0,
            others: 0,
            probe: None,
            names: BTreeMap::new(),
        })
    }

    /// Counts a packet that is no delivery.
    #[cold]
    pub(super) fn other(&mut self, packet: &[u8]) {
        self.others += 1;
        let name = match packet.first() {
            Some(b'2' | b'5') => event_name(packet),
            _ => None,
        };
        let Some(name) = name.and_then(|name| std::str::from_utf8(name).ok()) else {
            return;
        };
        if let Some(count) = self.names.get_mut(name) {
            *count += 1;
        } else if self.names.len() < MAX_NAMES {
            self.names.insert(name.to_owned(), 1);
        }
    }

    /// The names of other events that came.
    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        self.names.keys().map(String::as_str)
    }
}
