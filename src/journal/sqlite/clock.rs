//! Judges whether the wall clock can be believed: events are trimmed by age, and a clock that jumps must not empty the
//! journal.
//!
//! The monotonic clock shows the time since the start, the wall clock the time of day. As long as both go evenly, age
//! is known. When the wall clock jumps, no event is trimmed by age until it has gone evenly for an hour (then it was
//! right: the machine was asleep), or is back at its old time.

use std::time::{Duration, Instant};

/// The largest difference that is no jump: clocks are set by less all the time.
const TOLERANCE_US: i64 = 5 * 60 * 1_000_000;
/// The time for which a clock that jumped has to go evenly to be believed.
pub(super) const EVENLY: Duration = Duration::from_secs(3_600);

/// Both clocks at one moment.
#[derive(Debug, Clone, Copy)]
pub(super) struct Now {
    /// Microseconds since 1970.
    pub(super) wall_us: i64,
    pub(super) monotonic: Instant,
}

impl Now {
    /// Reads both clocks.
    pub(super) fn read() -> Self {
        Self {
            wall_us: crate::timestamp::Timestamp::now().as_micros(),
            monotonic: Instant::now(),
        }
    }

    /// The time that the wall clock should show at `later` if it had gone on from here.
    fn is_on_the_way_to(&self, later: Self) -> bool {
        let passed = later.monotonic.saturating_duration_since(self.monotonic);
        let passed = i64::try_from(passed.as_micros()).unwrap_or(i64::MAX);
        let expected = self.wall_us.saturating_add(passed);
        later.wall_us.saturating_sub(expected).saturating_abs() <= TOLERANCE_US
    }
}

/// Judges the wall clock.
#[derive(Debug)]
pub(super) struct Clock {
    /// A moment at which the wall clock was right.
    right: Now,
    /// The moment after a jump; it has gone evenly since.
    jumped: Option<Now>,
}

/// The result of a look at the clocks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    Believed,
    /// The clock has just jumped.
    Jumped,
    /// The clock jumped before, and has not gone evenly for long enough.
    Doubted,
}

impl Clock {
    pub(super) fn new(now: Now) -> Self {
        Self {
            right: now,
            jumped: None,
        }
    }

    pub(super) fn look(&mut self, now: Now) -> Verdict {
        if self.right.is_on_the_way_to(now) {
            // Small settings may add up to a large one over months.
            self.right = now;
            self.jumped = None;
            return Verdict::Believed;
        }
        match self.jumped {
            Some(jumped) if jumped.is_on_the_way_to(now) => {
                if now.monotonic.saturating_duration_since(jumped.monotonic) < EVENLY {
                    return Verdict::Doubted;
                }
                self.right = now;
                self.jumped = None;
                Verdict::Believed
            }
            _ => {
                self.jumped = Some(now);
                Verdict::Jumped
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY_US: i64 = 86_400 * 1_000_000;

    fn at(begin: Instant, seconds: u64, jump_us: i64) -> Now {
        Now {
            wall_us: 1_700_000_000_000_000 + i64::try_from(seconds).unwrap() * 1_000_000 + jump_us,
            monotonic: begin + Duration::from_secs(seconds),
        }
    }

    #[test]
    fn a_jump_is_doubted_until_it_has_gone_evenly_or_is_taken_back() {
        let begin = Instant::now();
        let mut clock = Clock::new(at(begin, 0, 0));
        assert_eq!(clock.look(at(begin, 60, 0)), Verdict::Believed);
        assert_eq!(clock.look(at(begin, 61, 8 * DAY_US)), Verdict::Jumped);
        assert_eq!(clock.look(at(begin, 67, 8 * DAY_US)), Verdict::Doubted);
        assert_eq!(clock.look(at(begin, 70, 0)), Verdict::Believed);
        assert_eq!(clock.look(at(begin, 80, -2 * DAY_US)), Verdict::Jumped);
        assert_eq!(clock.look(at(begin, 90, 2 * DAY_US)), Verdict::Jumped);
        assert_eq!(clock.look(at(begin, 3_600, 2 * DAY_US)), Verdict::Doubted);
        assert_eq!(clock.look(at(begin, 3_690, 2 * DAY_US)), Verdict::Believed);
        assert_eq!(clock.look(at(begin, 3_700, 2 * DAY_US)), Verdict::Believed);
    }

    #[test]
    fn clocks_that_are_set_a_little_again_and_again_are_believed() {
        let begin = Instant::now();
        let mut clock = Clock::new(at(begin, 0, 0));
        for n in 1..100 {
            let set = i64::try_from(n).unwrap() * 60 * 1_000_000;
            assert_eq!(clock.look(at(begin, n * 10, set)), Verdict::Believed);
        }
    }

    #[test]
    fn the_ends_of_time_are_no_overflow() {
        let begin = Instant::now();
        let mut clock = Clock::new(at(begin, 0, 0));
        for wall_us in [i64::MAX, i64::MIN, 0, i64::MAX] {
            let now = Now {
                wall_us,
                monotonic: begin,
            };
            assert_eq!(clock.look(now), Verdict::Jumped);
        }
    }
}
