//! Quantities: the type of a key says its default, the least and the most that it may be.
//!
//! A value out of bounds is refused where it is read, and what was read is handed to the code in the type that it counts in.
//! Times have all three in milliseconds, whatever they are written in.

use std::{fmt::Display, time::Duration};

use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::rule_config::MAX_WINDOW_MS;

/// A year in milliseconds: timers must be able to hold it.
pub(super) const YEAR: u64 = 366 * 86_400_000;

/// The beginning of the sentence about a value of the right kind that is out of bounds.
pub(super) const OUT_OF_BOUNDS: &str = "is ";

/// A value that a key can't have, with the bounds of those that it can.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{OUT_OF_BOUNDS}{value}: it must be {bounds}")]
pub struct OutOfBounds {
    value: String,
    bounds: String,
}

impl OutOfBounds {
    fn new(value: &dyn Display, bounds: String) -> Self {
        let value = value.to_string();
        Self { value, bounds }
    }
}

/// A number of things or bytes; at most more connections than a machine has descriptors for, unless it says otherwise.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "u64", into = "u64")]
pub struct Count<const DEFAULT: u64, const LEAST: u64 = 1, const MOST: u64 = { 1 << 24 }>(u64);

/// A time that is written in seconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "f64", into = "f64")]
pub struct Seconds<const DEFAULT: u64, const LEAST: u64 = 1, const MOST: u64 = YEAR>(Duration);

/// A time that is written in milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "u64", into = "u64")]
pub struct Millis<const DEFAULT: u64, const LEAST: u64 = 0, const MOST: u64 = MAX_WINDOW_MS>(
    Duration,
);

impl<const DEFAULT: u64, const LEAST: u64, const MOST: u64> TryFrom<u64>
    for Count<DEFAULT, LEAST, MOST>
{
    type Error = OutOfBounds;

    fn try_from(value: u64) -> Result<Self, OutOfBounds> {
        let wrong = || OutOfBounds::new(&value, format!("from {LEAST} to {MOST}"));
        let fits = (LEAST..=MOST).contains(&value);
        fits.then_some(Self(value)).ok_or_else(wrong)
    }
}

impl<const DEFAULT: u64, const LEAST: u64, const MOST: u64> TryFrom<f64>
    for Seconds<DEFAULT, LEAST, MOST>
{
    type Error = OutOfBounds;

    fn try_from(value: f64) -> Result<Self, OutOfBounds> {
        // Timers can't be set to less than a millisecond: so short a time would be none.
        let [least, most] = [LEAST.max(1), MOST].map(|ms| Duration::from_millis(ms).as_secs_f64());
        let wrong = || {
            let none = if LEAST == 0 { "0 or " } else { "" };
            OutOfBounds::new(&value, format!("{none}from {least} to {most} seconds"))
        };
        let fits = (least..=most).contains(&value) || (LEAST == 0 && value == 0.0);
        let time = Duration::try_from_secs_f64(value).ok().filter(|_| fits);
        time.map(Self).ok_or_else(wrong)
    }
}

impl<const DEFAULT: u64, const LEAST: u64, const MOST: u64> TryFrom<u64>
    for Millis<DEFAULT, LEAST, MOST>
{
    type Error = OutOfBounds;

    fn try_from(value: u64) -> Result<Self, OutOfBounds> {
        let wrong = || OutOfBounds::new(&value, format!("from {LEAST} to {MOST} milliseconds"));
        let fits = (LEAST..=MOST).contains(&value);
        fits.then_some(Self(Duration::from_millis(value)))
            .ok_or_else(wrong)
    }
}

/// Gives a quantity its default, which the compiler holds to the bounds, and lets the code take it and give it another value.
macro_rules! quantity {
    ($name:ident: written as $written:ty, used as $used:ty, by default $default:expr) => {
        impl<const DEFAULT: u64, const LEAST: u64, const MOST: u64> Default
            for $name<DEFAULT, LEAST, MOST>
        {
            fn default() -> Self {
                const { assert!(LEAST <= DEFAULT && DEFAULT <= MOST) };
                Self($default)
            }
        }

        impl<const DEFAULT: u64, const LEAST: u64, const MOST: u64> $name<DEFAULT, LEAST, MOST> {
            /// The value.
            pub const fn get(self) -> $used {
                self.0
            }

            /// Takes another value.
            ///
            /// # Errors
            /// It is out of bounds; the old one stays.
            pub fn set(&mut self, value: $written) -> Result<(), OutOfBounds> {
                *self = value.try_into()?;
                Ok(())
            }
        }
    };
}

quantity!(Count: written as u64, used as u64, by default DEFAULT);
quantity!(Seconds: written as f64, used as Duration, by default Duration::from_millis(DEFAULT));
quantity!(Millis: written as u64, used as Duration, by default Duration::from_millis(DEFAULT));

/// Converts a quantity into a type that it is written or counted in.
macro_rules! into {
    ($($name:ident to $to:ty: $convert:expr;)+) => {$(
        impl<const DEFAULT: u64, const LEAST: u64, const MOST: u64> From<$name<DEFAULT, LEAST, MOST>> for $to {
            fn from(quantity: $name<DEFAULT, LEAST, MOST>) -> Self {
                $convert(quantity.get())
            }
        }
    )+};
}

into! {
    Count to u64: std::convert::identity;
    Count to u32: |count| u32::try_from(count).unwrap_or(u32::MAX);
    Count to usize: |count| usize::try_from(count).unwrap_or(usize::MAX);
    Seconds to f64: |time: Duration| time.as_secs_f64();
    Millis to u64: |time: Duration| u64::try_from(time.as_millis()).unwrap_or(MOST);
}
