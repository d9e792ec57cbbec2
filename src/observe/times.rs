//! Distributions of times: counted without locks, read as a whole, and subtracted from each other for a window.
//!
//! A time falls into one of 280 buckets between 10 µs and 100 s, forty to a decade, so a quantile is off by at most 3 %.
//! The buckets are those of preferred numbers: the budgets (50, 100 and 500 ms) and the bounds that `/metrics` shows are
//! exact bounds of buckets.

use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use prometheus_client::{
    encoding::{EncodeMetric, MetricEncoder, NoLabelSet},
    metrics::{MetricType, TypedMetric},
};

/// The bounds within one decade, in hundredths: preferred numbers (the series R40 of ISO 3).
const STEPS: [u64; 40] = [
    106, 112, 118, 125, 132, 140, 150, 160, 170, 180, 190, 200, 212, 224, 236, 250, 265, 280, 300,
    315, 335, 355, 375, 400, 425, 450, 475, 500, 530, 560, 600, 630, 670, 710, 750, 800, 850, 900,
    950, 1000,
];
/// The decades, from 10 µs to 100 s.
const DECADES: usize = 7;
/// The least bound in nanoseconds: 10 µs.
const LEAST: u64 = 10_000;
/// The number of bounds.
const BOUNDS_COUNT: usize = STEPS.len() * DECADES + 1;
/// The number of buckets: one below each bound, and one above the last.
const BUCKETS: usize = BOUNDS_COUNT + 1;
/// The upper bounds of the buckets, in nanoseconds.
static BOUNDS: [u64; BOUNDS_COUNT] = bounds();
/// The bounds that `/metrics` shows, in nanoseconds.
const SHOWN: [u64; 12] = [
    500_000,
    1_000_000,
    2_500_000,
    5_000_000,
    10_000_000,
    25_000_000,
    50_000_000,
    100_000_000,
    250_000_000,
    500_000_000,
    1_000_000_000,
    2_500_000_000,
];

const fn bounds() -> [u64; BOUNDS_COUNT] {
    let mut bounds = [LEAST; BOUNDS_COUNT];
    let mut at = 1;
    let mut decade = LEAST;
    while at < BOUNDS_COUNT {
        let step = (at - 1) % STEPS.len();
        bounds[at] = decade * STEPS[step] / 100;
        if step == STEPS.len() - 1 {
            decade *= 10;
        }
        at += 1;
    }
    bounds
}

fn bucket_of(nanos: u64) -> usize {
    BOUNDS.partition_point(|bound| *bound < nanos)
}

/// Times since the start of the process. A clone shares them.
#[derive(Clone)]
pub struct Times(Arc<Counts>);

struct Counts {
    buckets: [AtomicU64; BUCKETS],
    /// The sum of all times in nanoseconds.
    sum: AtomicU64,
}

impl fmt::Debug for Times {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Times")
    }
}

impl Default for Times {
    fn default() -> Self {
        Self(Arc::new(Counts {
            buckets: [const { AtomicU64::new(0) }; BUCKETS],
            sum: AtomicU64::new(0),
        }))
    }
}

/// Times in a row that fall into one bucket: they are counted together, because each addition that threads share costs
/// more than all else.
#[derive(Debug, Clone, Copy)]
pub(super) struct Run {
    bucket: usize,
    count: u64,
    sum: u64,
}

impl Run {
    /// A run that begins with a time.
    pub(super) fn of(time: Duration) -> Self {
        let nanos = nanos(time);
        Self {
            bucket: bucket_of(nanos),
            count: 1,
            sum: nanos,
        }
    }

    /// Adds a time; `false` for one of another bucket.
    pub(super) fn takes(&mut self, time: Duration) -> bool {
        let nanos = nanos(time);
        let above = self.bucket == 0 || BOUNDS[self.bucket - 1] < nanos;
        let below = BOUNDS.get(self.bucket).is_none_or(|bound| nanos <= *bound);
        if above && below {
            self.count += 1;
            self.sum = self.sum.saturating_add(nanos);
        }
        above && below
    }
}

fn nanos(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}

impl Times {
    /// Counts a time.
    pub fn observe(&self, time: Duration) {
        self.observe_run(Run::of(time));
    }

    /// Counts the times of a run.
    pub(super) fn observe_run(&self, run: Run) {
        self.0.buckets[run.bucket].fetch_add(run.count, Ordering::Relaxed);
        self.0.sum.fetch_add(run.sum, Ordering::Relaxed);
    }

    /// The counts of this moment.
    pub fn snapshot(&self) -> Distribution {
        let buckets = self.0.buckets.iter();
        Distribution {
            buckets: buckets.map(|n| n.load(Ordering::Relaxed)).collect(),
            sum: self.0.sum.load(Ordering::Relaxed),
        }
    }
}

impl TypedMetric for Times {
    const TYPE: MetricType = MetricType::Histogram;
}

impl EncodeMetric for Times {
    fn encode(&self, mut encoder: MetricEncoder<'_>) -> Result<(), fmt::Error> {
        let now = self.snapshot();
        let mut shown = [(0.0, 0); SHOWN.len() + 1];
        let mut from = 0;
        for (place, bound) in shown.iter_mut().zip(SHOWN) {
            let to = bucket_of(bound) + 1;
            *place = (bound as f64 / 1e9, now.buckets[from..to].iter().sum());
            from = to;
        }
        shown[SHOWN.len()] = (f64::MAX, now.buckets[from..].iter().sum());
        let sum = now.sum as f64 / 1e9;
        encoder.encode_histogram::<NoLabelSet>(sum, now.count(), &shown, None)
    }

    fn metric_type(&self) -> MetricType {
        Self::TYPE
    }
}

/// Times between two moments, or since the start of the process.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Distribution {
    buckets: Box<[u64]>,
    /// The sum of all times in nanoseconds.
    sum: u64,
}

impl Default for Distribution {
    fn default() -> Self {
        Self {
            buckets: vec![0; BUCKETS].into(),
            sum: 0,
        }
    }
}

impl Distribution {
    /// The times that were counted after an earlier moment.
    #[must_use]
    pub fn since(&self, earlier: &Self) -> Self {
        let buckets = self.buckets.iter().zip(&earlier.buckets);
        Self {
            buckets: buckets
                .map(|(now, then)| now.saturating_sub(*then))
                .collect(),
            sum: self.sum.saturating_sub(earlier.sum),
        }
    }

    /// These times and others.
    #[must_use]
    pub fn with(mut self, other: &Self) -> Self {
        for (sum, more) in self.buckets.iter_mut().zip(&other.buckets) {
            *sum += more;
        }
        self.sum = self.sum.saturating_add(other.sum);
        self
    }

    /// The number of times.
    pub fn count(&self) -> u64 {
        self.buckets.iter().sum()
    }

    /// The average in milliseconds; `None` without any time.
    pub fn average_ms(&self) -> Option<f64> {
        let count = self.count();
        (count > 0).then(|| self.sum as f64 / count as f64 / 1e6)
    }

    /// The time in milliseconds below which this share of all times lies; `None` without any time. Within a bucket the
    /// times are taken as evenly spread.
    pub fn quantile_ms(&self, share: f64) -> Option<f64> {
        let count = self.count();
        if count == 0 {
            return None;
        }
        let wanted = share.clamp(0.0, 1.0) * count as f64;
        let mut before = 0.0;
        for (at, &here) in self.buckets.iter().enumerate() {
            let here = here as f64;
            if here > 0.0 && before + here >= wanted {
                let low = at.checked_sub(1).map_or(0, |below| BOUNDS[below]) as f64;
                let high = BOUNDS.get(at).map_or(low, |bound| *bound as f64);
                let part = ((wanted - before) / here).clamp(0.0, 1.0);
                return Some((low + (high - low) * part) / 1e6);
            }
            before += here;
        }
        BOUNDS.last().map(|bound| *bound as f64 / 1e6)
    }

    /// The share of the times that are no longer than a budget; `None` without any time.
    pub fn share_within(&self, budget: Duration) -> Option<f64> {
        let count = self.count();
        let nanos = u64::try_from(budget.as_nanos()).unwrap_or(u64::MAX);
        let within: u64 = self.buckets.iter().take(bucket_of(nanos) + 1).sum();
        (count > 0).then(|| within as f64 / count as f64)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const MILLI: u64 = 1_000_000;

    fn times(nanos: &[u64]) -> Times {
        let times = Times::default();
        for &nanos in nanos {
            times.observe(Duration::from_nanos(nanos));
        }
        times
    }

    #[test]
    fn budgets_and_shown_bounds_are_bounds_of_buckets() {
        assert_eq!(BOUNDS.first(), Some(&LEAST));
        assert_eq!(BOUNDS.last(), Some(&(100_000 * MILLI)));
        assert!(BOUNDS.is_sorted_by(|a, b| a < b));
        for exact in SHOWN.into_iter().chain([50, 100, 500].map(|ms| ms * MILLI)) {
            assert!(BOUNDS.contains(&exact), "{exact}");
        }
    }

    #[test]
    fn nothing_has_no_average_and_no_quantile() {
        let none = Times::default().snapshot();
        assert_eq!(
            (none.count(), none.average_ms(), none.quantile_ms(0.5)),
            (0, None, None)
        );
        assert_eq!(none.share_within(Duration::from_secs(1)), None);
    }

    #[test]
    fn a_window_is_the_difference_of_two_moments() {
        let times = times(&[3 * MILLI; 100]);
        let then = times.snapshot();
        times.observe(Duration::from_millis(50));
        times.observe(Duration::from_micros(50_001));
        let window = times.snapshot().since(&then);
        assert_eq!(window.count(), 2);
        assert_eq!(window.share_within(Duration::from_millis(50)), Some(0.5));
        let all = then.with(&window);
        assert_eq!(all, times.snapshot());
    }

    proptest! {
        #[test]
        fn a_run_takes_just_the_times_of_its_bucket(
            first in 0_u64..200_000 * MILLI,
            second in 0_u64..200_000 * MILLI,
            near in 0_u64..3_000,
        ) {
            for second in [second, first.saturating_add(near), first.saturating_sub(near)] {
                let (one, both) = (times(&[first]), times(&[first, second]));
                let mut run = Run::of(Duration::from_nanos(first));
                let takes = run.takes(Duration::from_nanos(second));
                prop_assert_eq!(takes, bucket_of(first) == bucket_of(second));
                let counted = Times::default();
                counted.observe_run(run);
                let expected = if takes { both } else { one };
                prop_assert_eq!(counted.snapshot(), expected.snapshot());
            }
        }

        #[test]
        fn quantiles_are_right_within_a_bucket(
            mut nanos in prop::collection::vec(LEAST..100_000 * MILLI, 1..300),
            share in 0.01_f64..=1.0,
        ) {
            let said = times(&nanos).snapshot();
            nanos.sort_unstable();
            let at = ((share * nanos.len() as f64).ceil() as usize).clamp(1, nanos.len()) - 1;
            let exact = nanos[at] as f64 / 1e6;
            let read = said.quantile_ms(share).expect("times");
            prop_assert!((read - exact).abs() <= exact * 0.075, "{read} for {exact}");
            let average = nanos.iter().sum::<u64>() as f64 / nanos.len() as f64 / 1e6;
            prop_assert!((said.average_ms().expect("times") - average).abs() < 1e-6 * average.max(1.0));
        }
    }
}
