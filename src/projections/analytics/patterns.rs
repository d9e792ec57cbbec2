//! The patterns of the message flow: normal, a burst, a silence, or an error cascade.

use strum::IntoStaticStr;

use crate::observe::usage::{Counts, LONG, LastSeconds, MINUTE, SHORT};

/// A burst is so many times the average before it.
const BURST_TIMES: f64 = 5.0;
/// Updates in a second below which nothing is a burst.
const BURST_FLOOR: f64 = 10.0;
/// Seconds that the server must have lived before a burst has something to be compared with.
const BURST_HISTORY: u32 = 60;
/// The minutes of the ten before a silence in which there must have been updates: only then the flow was steady.
const STEADY_MINUTES: u32 = 8;
/// Failures in the last minute from which on they may be a cascade.
const CASCADE_FAILURES: u64 = 20;

/// The pattern of the message flow.
#[derive(Debug, Clone, Copy, PartialEq, Eq, IntoStaticStr)]
#[strum(serialize_all = "snake_case")]
pub enum MessageFlow {
    /// None of the others.
    Normal,
    /// Many more updates than before.
    Burst,
    /// No update, although they came steadily.
    Silence,
    /// More fails than succeeds.
    ErrorCascade,
}

impl MessageFlow {
    /// The pattern of the last minutes. The most serious one is told: a cascade before a burst.
    pub fn of(seconds: &LastSeconds) -> Self {
        if is_cascade(seconds.sum(0, MINUTE)) {
            Self::ErrorCascade
        } else if is_burst(seconds) {
            Self::Burst
        } else if is_silence(seconds) {
            Self::Silence
        } else {
            Self::Normal
        }
    }
}

/// Whether at least [`CASCADE_FAILURES`] failed, and more than went well.
fn is_cascade(minute: Counts) -> bool {
    // A message that is refused was counted as a message before.
    let answered = minute.messages.saturating_sub(minute.failures);
    let well = minute.deliveries + minute.accepted + answered;
    minute.failures >= CASCADE_FAILURES && minute.failures > well
}

/// Whether the rate of the last ten seconds is more than [`BURST_TIMES`] the average of the ten minutes before.
fn is_burst(seconds: &LastSeconds) -> bool {
    let history = seconds.lived(SHORT, LONG);
    if history < BURST_HISTORY {
        return false;
    }
    let rate = per_second(seconds.sum(0, SHORT).updates, SHORT);
    let before = per_second(seconds.sum(SHORT, LONG).updates, history);
    rate >= BURST_FLOOR && rate > BURST_TIMES * before
}

/// Whether there was no update for a minute, and some in most of the ten minutes before.
fn is_silence(seconds: &LastSeconds) -> bool {
    let updates = |before| seconds.sum(before, MINUTE).updates;
    let minutes = (1..=LONG / MINUTE).filter(|minute| updates(minute * MINUTE) > 0);
    updates(0) == 0 && minutes.count() >= STEADY_MINUTES as usize
}

/// A rate; 0 where no second was lived through.
pub(super) fn per_second(count: u64, seconds: u32) -> f64 {
    count as f64 / f64::from(seconds.max(1))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The seconds of a server that sends so many updates in each.
    fn flow(updates: impl IntoIterator<Item = u64>) -> LastSeconds {
        let mut seconds = LastSeconds::default();
        for (second, updates) in (0..).zip(updates) {
            let counts = Counts {
                updates,
                deliveries: updates,
                ..Counts::default()
            };
            seconds.push(second, counts);
        }
        seconds
    }

    fn repeat(updates: u64, seconds: usize) -> impl Iterator<Item = u64> {
        std::iter::repeat_n(updates, seconds)
    }

    #[test]
    fn a_steady_flow_is_normal_and_so_is_a_server_without_any() {
        for seconds in [
            flow(repeat(20, 700)),
            flow(repeat(0, 700)),
            LastSeconds::default(),
        ] {
            assert_eq!(MessageFlow::of(&seconds), MessageFlow::Normal);
        }
    }

    #[test]
    fn a_burst_is_five_times_the_average_and_above_the_floor() {
        let of = |before, now| MessageFlow::of(&flow(repeat(before, 600).chain(repeat(now, 10))));
        assert_eq!(of(10, 50), MessageFlow::Normal);
        assert_eq!(of(10, 51), MessageFlow::Burst);
        assert_eq!(of(1, 9), MessageFlow::Normal, "below the floor");
        assert_eq!(of(0, 10), MessageFlow::Burst);
        let young = flow(repeat(0, 59).chain(repeat(100, 10)));
        assert_eq!(
            MessageFlow::of(&young),
            MessageFlow::Normal,
            "nothing to compare with"
        );
        let older = flow(repeat(0, 60).chain(repeat(100, 10)));
        assert_eq!(MessageFlow::of(&older), MessageFlow::Burst);
    }

    #[test]
    fn a_silence_comes_after_a_steady_flow_only() {
        let steady = repeat(1, 600).chain(repeat(0, 60));
        assert_eq!(MessageFlow::of(&flow(steady)), MessageFlow::Silence);
        let not_yet = repeat(1, 600).chain(repeat(0, 59));
        assert_eq!(MessageFlow::of(&flow(not_yet)), MessageFlow::Normal);
        let now_and_then = repeat(0, 300).chain(repeat(1, 300)).chain(repeat(0, 60));
        assert_eq!(MessageFlow::of(&flow(now_and_then)), MessageFlow::Normal);
    }

    #[test]
    fn a_cascade_is_more_failures_than_successes() {
        let of = |failures, deliveries, messages| {
            let mut seconds = LastSeconds::default();
            let counts = Counts {
                failures,
                deliveries,
                messages,
                ..Counts::default()
            };
            seconds.push(0, counts);
            MessageFlow::of(&seconds)
        };
        assert_eq!(of(20, 19, 20), MessageFlow::ErrorCascade);
        assert_eq!(of(19, 0, 0), MessageFlow::Normal);
        assert_eq!(of(20, 20, 0), MessageFlow::Normal);
        assert_eq!(of(20, 0, 40), MessageFlow::Normal, "as many were answered");
    }
}
