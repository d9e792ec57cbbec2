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
        serializer.collect_str(self)
    }
}
