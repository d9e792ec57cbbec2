//! Points in time on the wire: ISO 8601 in UTC with `Z` and at least milliseconds.

use std::{fmt, time::SystemTime};

use jiff::{SignedDuration, civil};

/// Microseconds since the Unix epoch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Timestamp(i64);

impl Timestamp {
    /// The server's clock.
    pub fn now() -> Self {
        SystemTime::now().into()
    }

    /// From microseconds since the epoch.
    pub fn from_micros(micros: i64) -> Self {
        Self(micros)
    }

    /// Microseconds since the epoch.
    pub fn as_micros(self) -> i64 {
        self.0
    }
}

impl From<SystemTime> for Timestamp {
    fn from(time: SystemTime) -> Self {
        let since = time
            .duration_since(SystemTime::UNIX_EPOCH)
            .unwrap_or_default();
        Self::from_micros(i64::try_from(since.as_micros()).unwrap_or(i64::MAX))
    }
}

/// `2026-05-23T14:00:03.500Z`; microseconds are shown when there are any.
impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(text) = Text::of(self.0) {
            return f.write_str(text.as_str());
        }
        // The library's timestamps end a day before the last one that can be written; its dates don't.
        let since = SignedDuration::from_micros(self.0);
        let Ok(t) = civil::DateTime::constant(1970, 1, 1, 0, 0, 0, 0).checked_add(since) else {
            return f.write_str("1970-01-01T00:00:00.000Z");
        };
        write!(
            f,
            "{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.",
            t.year(),
            t.month(),
            t.day(),
            t.hour(),
            t.minute(),
            t.second()
        )?;
        let micros = t.subsec_nanosecond() / 1_000;
        if micros % 1_000 == 0 {
            write!(f, "{:03}Z", micros / 1_000)
        } else {
            write!(f, "{micros:06}Z")
        }
    }
}

impl serde::Serialize for Timestamp {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match Text::of(self.0) {
            Some(text) => serializer.serialize_str(text.as_str()),
            None => serializer.collect_str(self),
        }
    }
}

/// The text of a moment from 1970 to 9999, written without the library: each event has several, and the general way costs as
/// much as reading the event.
struct Text {
    bytes: [u8; 27],
    len: usize,
}

impl Text {
    /// The end of the year 9999, in microseconds.
    const END: u64 = 253_402_300_800_000_000;

    fn of(micros: i64) -> Option<Self> {
        let micros = u64::try_from(micros).ok().filter(|m| *m < Self::END)?;
        let (seconds, micros) = (micros / 1_000_000, micros % 1_000_000);
        let (days, second) = (seconds / 86_400, seconds % 86_400);
        // Eras of 400 years have the same number of days; a year that begins in March ends with its leap day.
        let days = days + 719_468;
        let (era, day) = (days / 146_097, days % 146_097);
        let year = (day - day / 1_460 + day / 36_524 - day / 146_096) / 365;
        let day = day - (365 * year + year / 4 - year / 100);
        let month = (5 * day + 2) / 153;
        let day = day - (153 * month + 2) / 5 + 1;
        let (month, next) = if month < 10 {
            (month + 3, 0)
        } else {
            (month - 9, 1)
        };
        let mut text = Self {
            bytes: *b"0000-00-00T00:00:00.000000Z",
            len: 27,
        };
        text.write(0, 4, year + era * 400 + next);
        text.write(5, 2, month);
        text.write(8, 2, day);
        text.write(11, 2, second / 3_600);
        text.write(14, 2, second / 60 % 60);
        text.write(17, 2, second % 60);
        if micros.is_multiple_of(1_000) {
            text.write(20, 3, micros / 1_000);
            text.bytes[23] = b'Z';
            text.len = 24;
        } else {
            text.write(20, 6, micros);
        }
        Some(text)
    }

    /// Writes a number with so many digits.
    fn write(&mut self, at: usize, digits: usize, mut number: u64) {
        for byte in self.bytes[at..at + digits].iter_mut().rev() {
            *byte = b'0' + (number % 10) as u8;
            number /= 10;
        }
    }

    fn as_str(&self) -> &str {
        // Only ASCII is written.
        std::str::from_utf8(&self.bytes[..self.len]).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The same by the library.
    fn by_library(micros: i64) -> String {
        let t = civil::DateTime::constant(1970, 1, 1, 0, 0, 0, 0)
            .checked_add(SignedDuration::from_micros(micros))
            .expect("it can be written");
        let part = t.subsec_nanosecond() / 1_000;
        let part = match part % 1_000 {
            0 => format!("{:03}", part / 1_000),
            _ => format!("{part:06}"),
        };
        format!("{}.{part}Z", t.strftime("%Y-%m-%dT%H:%M:%S"))
    }

    #[test]
    fn every_day_is_written_as_the_library_writes_it() {
        let last = Text::END as i64 - 1;
        const DAY: i64 = 86_400_000_000;
        // All days of an era, and some of all years.
        let era = (0..146_097).map(|day| day * DAY);
        let later = (0..=last).step_by(DAY as usize * 23);
        for day in era.chain(later) {
            for micros in [day, day + 43_200_500_000 + day % 1_000_000] {
                assert_eq!(Timestamp(micros).to_string(), by_library(micros));
            }
        }
        assert_eq!(Timestamp(last).to_string(), "9999-12-31T23:59:59.999999Z");
        assert_eq!(Timestamp(-1).to_string(), "1969-12-31T23:59:59.999999Z");
        let json = serde_json::to_string(&Timestamp(1_500)).expect("JSON");
        assert_eq!(json, "\"1970-01-01T00:00:00.001500Z\"");
    }
}
