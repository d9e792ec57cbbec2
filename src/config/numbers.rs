//! Keys that are numbers, read together with what they may be: a value out of bounds is refused where it is read.

use std::{fmt::Display, time::Duration};

use serde::{Deserialize, Deserializer, de::Error};
use toml::Value;

use super::MAX_WINDOW_MS;

/// The beginning of the sentence about a value that is of the right kind and out of bounds.
pub(super) const OUT_OF_BOUNDS: &str = "is ";

/// More connections than a machine has descriptors for.
pub(super) const MOST: u64 = 1 << 24;

/// Counts and bytes from `LEAST` to `MOST`.
pub(super) struct Count<const LEAST: u64, const MOST: u64>;

impl<const LEAST: u64, const MOST: u64> Count<LEAST, MOST> {
    pub(super) fn read<'de, D, T>(from: D) -> Result<T, D::Error>
    where
        D: Deserializer<'de>,
        T: Deserialize<'de> + TryInto<u64> + Copy + Display,
    {
        let value = T::deserialize(from)?;
        let fits = |value| (LEAST..=MOST).contains(&value);
        if value.try_into().is_ok_and(fits) {
            return Ok(value);
        }
        let bounds = format_args!("it must be from {LEAST} to {MOST}");
        Err(D::Error::custom(format_args!(
            "{OUT_OF_BOUNDS}{value}: {bounds}"
        )))
    }
}

/// A year in milliseconds: longer makes no sense, and timers must be able to hold it.
pub(super) const LONGEST_MS: u64 = 366 * 86_400_000;

/// Seconds between bounds that are given in milliseconds.
pub(super) struct Seconds<const LEAST_MS: u64, const MOST_MS: u64>;

impl<const LEAST_MS: u64, const MOST_MS: u64> Seconds<LEAST_MS, MOST_MS> {
    pub(super) fn read<'de, D: Deserializer<'de>>(from: D) -> Result<f64, D::Error> {
        let value = f64::deserialize(from)?;
        let [least, most] = [LEAST_MS, MOST_MS].map(|ms| Duration::from_millis(ms).as_secs_f64());
        if (least..=most).contains(&value) {
            return Ok(value);
        }
        Err(D::Error::custom(format_args!(
            "{OUT_OF_BOUNDS}{value}: it is a number of seconds from {least} to {most}"
        )))
    }
}

/// A millisecond: timers can't be set to less.
const SHORTEST: f64 = 0.001;

/// Seconds that are more than none, for as long as there is no reason for other bounds.
pub(super) fn positive<'de, D: Deserializer<'de>>(from: D) -> Result<f64, D::Error> {
    let value = f64::deserialize(from)?;
    if (SHORTEST..=Duration::from_millis(LONGEST_MS).as_secs_f64()).contains(&value) {
        return Ok(value);
    }
    Err(D::Error::custom(format_args!(
        "{OUT_OF_BOUNDS}{value}: it is a number of seconds, more than 0 (at least {SHORTEST}) and at most a year"
    )))
}

/// The same where none are allowed, too.
pub(super) fn positive_or_none<'de, D: Deserializer<'de>>(from: D) -> Result<f64, D::Error> {
    let value = Value::deserialize(from)?;
    let none = [Value::Float(0.0), Value::Integer(0)].contains(&value);
    let checked = || positive(value).map_err(D::Error::custom);
    if none { Ok(0.0) } else { checked() }
}

/// Milliseconds of a window.
pub(super) fn window<'de, D: Deserializer<'de>>(from: D) -> Result<u64, D::Error> {
    let value = u64::deserialize(from)?;
    if value <= MAX_WINDOW_MS {
        return Ok(value);
    }
    Err(D::Error::custom(format_args!(
        "{OUT_OF_BOUNDS}{value}: it is a number of milliseconds, at most {MAX_WINDOW_MS} (a day)"
    )))
}

/// A checked number of seconds as a duration; what was not checked and does not fit is zero, never a panic.
pub(super) fn seconds(value: f64) -> Duration {
    Duration::try_from_secs_f64(value).unwrap_or(Duration::ZERO)
}

/// Gives a section its keys in seconds as durations, by methods of the same names.
macro_rules! durations {
    ($section:ty { $($key:ident),* $(,)? }) => {
        impl $section {$(
            #[doc = concat!("See [`", stringify!($key), "`](field@Self::", stringify!($key), ").")]
            pub fn $key(&self) -> std::time::Duration {
                $crate::config::numbers::seconds(self.$key)
            }
        )*}
    };
}
pub(super) use durations;
