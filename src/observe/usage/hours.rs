//! Counts by the hour, for the last seven days.

use std::{collections::BTreeMap, ops::AddAssign};

use serde::{Deserialize, Serialize};

/// The hours that are kept.
pub const KEPT_HOURS: u32 = 7 * 24;

/// Counts by the number of the hour since 1970. An hour in which nothing was counted has no entry.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Hours<T>(BTreeMap<u32, T>);

impl<T> Default for Hours<T> {
    fn default() -> Self {
        Self(BTreeMap::new())
    }
}

impl<T: Copy + Default + AddAssign> Hours<T> {
    /// The counts of an hour, to add to them. The earliest hours are dropped: also those of a clock that went wrong, once
    /// there are as many others.
    pub(super) fn at(&mut self, hour: u32) -> &mut T {
        while self.0.len() >= KEPT_HOURS as usize && !self.0.contains_key(&hour) {
            self.0.pop_first();
        }
        self.0.entry(hour).or_default()
    }

    /// Adds the counts of an earlier run.
    pub(super) fn add(&mut self, earlier: &Self) {
        for (hour, counts) in &earlier.0 {
            *self.at(*hour) += *counts;
        }
    }

    /// The hours of the last `hours` up to `now`, oldest first.
    pub fn last(&self, now: u32, hours: u32) -> impl Iterator<Item = (u32, T)> {
        let first = now.saturating_sub(hours.saturating_sub(1));
        self.0
            .range(first..=now)
            .map(|(hour, counts)| (*hour, *counts))
    }

    /// The counts of the last `hours` up to `now` together.
    pub fn sum(&self, now: u32, hours: u32) -> T {
        let mut sum = T::default();
        self.last(now, hours).for_each(|(_, counts)| sum += counts);
        sum
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_week_is_kept_and_no_hour_more() {
        let mut hours = Hours::<u64>::default();
        for hour in 1_000..2_000 {
            *hours.at(hour) += 1;
        }
        assert_eq!(hours.0.len(), 168);
        assert_eq!(hours.sum(1_999, KEPT_HOURS), 168);
        assert_eq!(hours.sum(1_999, 24), 24);
        assert_eq!(hours.sum(2_010, 24), 13, "hours without counts are empty");
        assert_eq!(
            hours.sum(1_000, 24),
            0,
            "a clock that was set back sees nothing of later"
        );
    }

    #[test]
    fn an_hour_in_the_future_takes_one_place_only() {
        let mut hours = Hours::<u64>::default();
        *hours.at(900_000) += 1;
        for hour in 1_000..2_000 {
            *hours.at(hour) += 1;
        }
        assert_eq!(hours.sum(1_999, KEPT_HOURS), 167);
        assert_eq!(hours.0.len(), 168);
    }
}
