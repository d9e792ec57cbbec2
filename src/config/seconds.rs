//! Keys that are a number of seconds.

use std::time::Duration;

/// A checked number of seconds as a duration; what was not checked and does not fit is zero, never a panic.
pub(super) fn seconds(value: f64) -> Duration {
    Duration::try_from_secs_f64(value).unwrap_or(Duration::ZERO)
}
