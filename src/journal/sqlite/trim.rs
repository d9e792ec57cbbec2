//! Retention: trims events that are too old or too many, oldest first, in steps that nobody has to wait for.

use std::sync::atomic::Ordering;

use rusqlite::Connection;

use super::{
    clock::{Clock, EVENLY, Now, Verdict},
    options::SqliteOptions,
    shared::Shared,
};
use crate::journal::Seq;

/// Events that go in one step.
const TRIM_STEP_EVENTS: u64 = 2_000;

#[derive(Debug)]
pub(super) struct Trimmer {
    max_events: u64,
    max_age_us: i64,
    /// The most bytes of the file.
    max_bytes: u64,
    /// Judges whether the age is known.
    clock: Clock,
    /// Whether the last step was a full one: more is due.
    more: bool,
}

/// The newest places to be trimmed, by each bound.
#[derive(Debug)]
struct Due {
    count: Seq,
    age: Seq,
    bytes: Seq,
}

impl Trimmer {
    pub(super) fn new(options: &SqliteOptions, now: Now) -> Self {
        let retention = &options.retention;
        Self {
            max_events: retention.max_events as u64,
            max_age_us: i64::try_from(retention.max_age.as_micros()).unwrap_or(i64::MAX),
            max_bytes: retention.max_bytes,
            clock: Clock::new(now),
            more: false,
        }
    }

    pub(super) fn has_more(&self) -> bool {
        self.more
    }

    /// Trims at most one step. The live stream and the next start keep all events that they still need, and the newest
    /// event always stays, because it marks the next place.
    pub(super) fn step(
        &mut self,
        connection: &mut Connection,
        shared: &Shared,
        now: Now,
    ) -> rusqlite::Result<()> {
        self.more = false;
        let (first, last) = (
            shared.first.load(Ordering::Acquire),
            shared.last.load(Ordering::Acquire),
        );
        let needed = shared
            .released
            .load(Ordering::Acquire)
            .min(shared.checkpoint.load(Ordering::Acquire))
            .min(last.saturating_sub(1));
        let too_old = self.too_old(shared, now);
        let used = used(connection)?;
        let shown = i64::try_from(used).unwrap_or(i64::MAX);
        shared.metrics.used_bytes.set(shown);
        let due = self.due(connection, (first, last), too_old, used)?;
        let end = due.newest().min(needed).min(first + TRIM_STEP_EVENTS - 1);
        if end < first {
            return Ok(());
        }
        // Set first: a reader must not take records that are missing meanwhile for damage.
        shared.first.store(end + 1, Ordering::Release);
        let gone = connection.execute("DELETE FROM events WHERE seq <= ?1", [end]);
        if let Err(error) = gone {
            shared.first.store(first, Ordering::Release);
            return Err(error);
        }
        for (reason, events) in due.reasons(first, end) {
            shared.metrics.trimmed(reason, events);
        }
        self.more = end == first + TRIM_STEP_EVENTS - 1;
        Ok(())
    }

    /// Events accepted before this time are too old; none while the clock can't be believed.
    fn too_old(&mut self, shared: &Shared, now: Now) -> Option<i64> {
        match self.clock.look(now) {
            Verdict::Believed => Some(now.wall_us.saturating_sub(self.max_age_us)),
            Verdict::Doubted => None,
            Verdict::Jumped => {
                shared.metrics.clock_jumps.inc();
                tracing::warn!(
                    minutes = EVENLY.as_secs() / 60,
                    "the clock jumped: no event is let go of by its age until the clock has gone evenly for so long, is back, or the server restarts"
                );
                None
            }
        }
    }

    fn due(
        &self,
        connection: &Connection,
        (first, last): (Seq, Seq),
        too_old: Option<i64>,
        used: u64,
    ) -> rusqlite::Result<Due> {
        let by_age: Option<u64> = match too_old {
            Some(too_old) => connection.query_row(
                "SELECT max(seq) FROM (SELECT seq, accepted FROM events WHERE seq >= ?1 ORDER BY seq LIMIT ?2) WHERE accepted < ?3",
                (first, TRIM_STEP_EVENTS, too_old),
                |row| row.get(0),
            )?,
            None => None,
        };
        Ok(Due {
            count: last.saturating_sub(self.max_events),
            age: by_age.unwrap_or(0),
            bytes: if used > self.max_bytes {
                first + TRIM_STEP_EVENTS
            } else {
                0
            },
        })
    }
}

/// Bytes of the file that hold something.
fn used(connection: &Connection) -> rusqlite::Result<u64> {
    let number = |pragma: &str| -> rusqlite::Result<u64> {
        connection.query_row(&format!("PRAGMA {pragma}"), [], |row| row.get(0))
    };
    Ok((number("page_count")? - number("freelist_count")?) * number("page_size")?)
}

impl Due {
    fn newest(&self) -> Seq {
        self.count.max(self.age).max(self.bytes)
    }

    /// The number of places from `first` to `end` that each bound trims; each place counts once.
    fn reasons(&self, first: Seq, end: Seq) -> [(&'static str, u64); 3] {
        let mut from = first;
        [
            ("count", self.count),
            ("age", self.age),
            ("bytes", self.bytes),
        ]
        .map(|(reason, to)| {
            let next = (to.min(end) + 1).max(from);
            let events = next - from;
            from = next;
            (reason, events)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_place_that_goes_is_counted_by_one_reason() {
        let due = Due {
            count: 12,
            age: 15,
            bytes: 2_000,
        };
        let reasons = due.reasons(11, 20);
        assert_eq!(reasons, [("count", 2), ("age", 3), ("bytes", 5)]);
        let due = Due {
            count: 0,
            age: 0,
            bytes: 2_000,
        };
        assert_eq!(due.reasons(1, 9), [("count", 0), ("age", 0), ("bytes", 9)]);
    }
}
