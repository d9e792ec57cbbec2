//! Counts second by second, for the last minutes.

use std::ops::{AddAssign, Sub};

use serde::{Deserialize, Serialize};

/// The seconds of the short look: a sudden rise shows in it.
pub const SHORT: u32 = 10;
/// The seconds of the long look, which the short one is compared with.
pub const LONG: u32 = 600;
/// The seconds of a minute.
pub const MINUTE: u32 = 60;
/// The seconds that are kept: the long look before the last minute, and a little.
const SECONDS: usize = 720;

/// Counts of what happened.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Counts {
    /// Updates sent, each once.
    pub updates: u64,
    /// Updates times the clients that got them.
    pub deliveries: u64,
    /// Events that were accepted.
    pub accepted: u64,
    /// Messages that clients sent.
    pub messages: u64,
    /// Requests and events that were refused, and deliveries that failed.
    pub failures: u64,
    /// Clients that were not let in; they are failures, too.
    pub turned_away: u64,
}

impl AddAssign for Counts {
    fn add_assign(&mut self, more: Self) {
        self.updates += more.updates;
        self.deliveries += more.deliveries;
        self.accepted += more.accepted;
        self.messages += more.messages;
        self.failures += more.failures;
        self.turned_away += more.turned_away;
    }
}

impl Sub for Counts {
    type Output = Self;

    fn sub(self, less: Self) -> Self {
        Self {
            updates: self.updates.saturating_sub(less.updates),
            deliveries: self.deliveries.saturating_sub(less.deliveries),
            accepted: self.accepted.saturating_sub(less.accepted),
            messages: self.messages.saturating_sub(less.messages),
            failures: self.failures.saturating_sub(less.failures),
            turned_away: self.turned_away.saturating_sub(less.turned_away),
        }
    }
}

/// The counts of the last seconds.
#[derive(Debug, Clone)]
pub struct LastSeconds {
    seconds: Vec<Counts>,
    /// The newest second that was counted.
    newest: u32,
}

impl Default for LastSeconds {
    fn default() -> Self {
        Self {
            seconds: vec![Counts::default(); SECONDS],
            newest: 0,
        }
    }
}

impl LastSeconds {
    /// Adds what was counted up to this second since the last one.
    pub fn push(&mut self, second: u32, counts: Counts) {
        let passed = second.saturating_sub(self.newest);
        for back in 0..passed.min(SECONDS as u32) {
            *self.at(second - back) = Counts::default();
        }
        self.newest = self.newest.max(second);
        *self.at(second) += counts;
    }

    fn at(&mut self, second: u32) -> &mut Counts {
        let at = second as usize % self.seconds.len();
        &mut self.seconds[at]
    }

    /// The counts of `len` seconds, which end `before` seconds ago.
    pub fn sum(&self, before: u32, len: u32) -> Counts {
        let mut sum = Counts::default();
        for back in before..before.saturating_add(len).min(SECONDS as u32) {
            let Some(second) = self.newest.checked_sub(back) else {
                break;
            };
            sum += self.seconds[second as usize % self.seconds.len()];
        }
        sum
    }

    /// The seconds of a look of `len` seconds, ending `before` seconds ago, that the server has lived through.
    pub fn lived(&self, before: u32, len: u32) -> u32 {
        (self.newest + 1).saturating_sub(before).min(len)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn updates(updates: u64) -> Counts {
        Counts {
            updates,
            ..Counts::default()
        }
    }

    #[test]
    fn a_window_slides_and_seconds_without_counts_are_empty() {
        let mut window = LastSeconds::default();
        for second in 0..2_000 {
            window.push(second, updates(1));
        }
        assert_eq!(window.sum(0, 10).updates, 10);
        assert_eq!(window.sum(10, 600).updates, 600);
        window.push(2_099, updates(5));
        assert_eq!(window.sum(0, 60).updates, 5);
        assert_eq!(window.sum(0, 110).updates, 15);
        window.push(9_000, updates(7));
        assert_eq!(
            window.sum(0, 700).updates,
            7,
            "nothing of an earlier round is left"
        );
    }

    #[test]
    fn a_young_server_has_lived_through_few_seconds() {
        let mut window = LastSeconds::default();
        window.push(4, updates(9));
        window.push(4, updates(1));
        assert_eq!((window.lived(0, 10), window.lived(10, 600)), (5, 0));
        assert_eq!(window.sum(0, 10).updates, 10);
    }
}
