//! Retention: what is too old or too much goes, oldest first, in steps that nobody has to wait for.

use std::sync::atomic::Ordering;

use rusqlite::Connection;

use super::{Seq, Shared, SqliteOptions};
use crate::event::Timestamp;

/// Events that go in one step.
const STEP: u64 = 2_000;

#[derive(Debug)]
pub(super) struct Trimmer {
    /// More are not kept.
    max_events: u64,
    /// Older ones are not kept.
    max_age_us: i64,
    /// Nor what fills more of the file.
    max_bytes: u64,
    /// The last step was a full one: more is due.
    more: bool,
}

impl Trimmer {
    pub(super) fn new(options: &SqliteOptions) -> Self {
        Self {
            max_events: options.retention.max_events as u64,
            max_age_us: i64::try_from(options.retention.max_age.as_micros()).unwrap_or(i64::MAX),
            max_bytes: options.max_bytes,
            more: false,
        }
    }

    pub(super) fn has_more(&self) -> bool {
        self.more
    }

    /// Trims at most one step. Never what the live stream or the next start still needs, and never the newest event:
    /// it says where to go on.
    pub(super) fn step(
        &mut self,
        connection: &mut Connection,
        shared: &Shared,
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
        let end = self
            .due(connection, first, last)?
            .min(needed)
            .min(first + STEP - 1);
        if end < first {
            return Ok(());
        }
        connection.execute("DELETE FROM events WHERE seq <= ?1", [end])?;
        shared.first.store(end + 1, Ordering::Release);
        self.more = end == first + STEP - 1;
        Ok(())
    }

    /// The newest place that is to go.
    fn due(&self, connection: &Connection, first: Seq, last: Seq) -> rusqlite::Result<Seq> {
        let by_count = last.saturating_sub(self.max_events);
        let too_old = Timestamp::now().as_micros().saturating_sub(self.max_age_us);
        let by_age: Option<u64> = connection.query_row(
            "SELECT max(seq) FROM (SELECT seq, accepted FROM events WHERE seq >= ?1 ORDER BY seq LIMIT ?2) WHERE accepted < ?3",
            (first, STEP, too_old),
            |row| row.get(0),
        )?;
        let number = |pragma: &str| -> rusqlite::Result<u64> {
            connection.query_row(&format!("PRAGMA {pragma}"), [], |row| row.get(0))
        };
        let used = (number("page_count")? - number("freelist_count")?) * number("page_size")?;
        let by_size = if used > self.max_bytes {
            first + STEP
        } else {
            0
        };
        Ok(by_count.max(by_age.unwrap_or(0)).max(by_size))
    }
}
