//! Reads records that are no longer in memory, on threads that may wait.
//!
//! One damaged event is no reason to withhold all others: the reader passes over it, counts it and logs it.

use std::{
    path::Path,
    sync::{Arc, Mutex, PoisonError},
    time::Instant,
};

use rusqlite::{Connection, OpenFlags, OptionalExtension};

use super::{
    damage::{Damage, is_damage},
    decisions::{self, Unreadable},
    kept,
    repair::next_good,
    schema::BUSY,
    sessions,
};
use crate::{
    decision::Decisions,
    journal::{Batch, JournalError, KeptText, Seq, entry::parse},
};

#[derive(Debug)]
pub(super) struct Reader {
    connection: Mutex<Connection>,
    /// Counts events that can't be read.
    damage: Arc<Damage>,
}

impl Reader {
    pub(super) fn open(path: &Path, damage: Arc<Damage>) -> rusqlite::Result<Self> {
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connection = Connection::open_with_flags(path, flags)?;
        connection.busy_timeout(BUSY)?;
        Ok(Self {
            connection: Mutex::new(connection),
            damage,
        })
    }

    /// The records after `after`; `last` is the newest place.
    pub(super) fn read(&self, after: Seq, limit: usize, last: Seq) -> Result<Batch, JournalError> {
        let connection = self.lock();
        let mut batch = Batch::after(after);
        match self.walk(&connection, &mut batch, limit) {
            Ok(true) => {}
            // No row comes after the last one.
            Ok(false) => batch.to = batch.to.max(last),
            Err(error) if is_damage(&error) => self.pass_over(&connection, &mut batch, last)?,
            Err(error) => return Err(JournalError::Unavailable(error.to_string())),
        }
        Ok(batch)
    }

    /// Adds the rows after the batch's end; returns whether there may be more.
    fn walk(
        &self,
        connection: &Connection,
        batch: &mut Batch,
        limit: usize,
    ) -> rusqlite::Result<bool> {
        let now = Instant::now();
        let mut query = connection
            .prepare_cached("SELECT seq, event FROM events WHERE seq > ?1 ORDER BY seq LIMIT ?2")?;
        let most = i64::try_from(limit).unwrap_or(i64::MAX);
        let mut rows = query.query((batch.to, most))?;
        let mut count = 0;
        while let Some(row) = rows.next()? {
            let seq: Seq = row.get(0)?;
            // Damage may have turned a text into another kind of value.
            let text = row.get_ref(1)?.as_str().ok();
            let record = text.and_then(|text| parse(seq, text, now));
            if record.is_none() {
                self.damage.found(seq, 1);
            }
            batch.push(seq, record);
            count += 1;
            if batch.is_full() {
                return Ok(true);
            }
        }
        Ok(count == limit)
    }

    /// Moves the batch's end in front of the next row that can be read.
    fn pass_over(
        &self,
        connection: &Connection,
        batch: &mut Batch,
        last: Seq,
    ) -> Result<(), JournalError> {
        let begin = batch.to;
        let good = next_good(connection, begin, last).map_err(unavailable)?;
        let to = good.map_or(last, |good| good - 1).max(begin + 1);
        self.damage.found(begin + 1, to - begin);
        batch.to = to;
        Ok(())
    }

    /// This part of the newest checkpoint; none also when it can't be read.
    pub(super) fn checkpoint(&self, part: u32) -> Result<Option<(Seq, String)>, JournalError> {
        let connection = self.lock();
        let read = connection
            .query_row(
                "WITH newest AS (SELECT max(seq) AS seq FROM checkpoints)
                 SELECT seq, state FROM checkpoint_parts JOIN newest USING (seq) WHERE part = ?1
                 UNION ALL
                 SELECT seq, state FROM checkpoints JOIN newest USING (seq)
                 WHERE ?1 = (SELECT count(*) FROM checkpoint_parts JOIN newest USING (seq))",
                [part],
                |row| Ok((row.get(0)?, row.get(1)?)),
            )
            .optional();
        match read {
            Err(error) if is_damage(&error) => {
                tracing::error!(%error, "the saved state in the journal is damaged; it is made anew from the events");
                Ok(None)
            }
            read => read.map_err(unavailable),
        }
    }

    /// The text that is kept under a name; none also when it can't be read.
    pub(super) fn text(&self, name: KeptText) -> Result<Option<String>, JournalError> {
        match kept::read(&self.lock(), name) {
            Err(error) if is_damage(&error) => {
                tracing::error!(%error, name = name.name(), "figures that were kept in the journal are damaged; they begin anew");
                Ok(None)
            }
            read => read.map_err(unavailable),
        }
    }

    /// The sessions that clients come back to; none when they can't be read: their clients connect anew.
    pub(super) fn sessions(&self) -> Result<Vec<(String, String)>, JournalError> {
        match sessions::read(&self.lock()) {
            Err(error) if is_damage(&error) => {
                tracing::warn!(%error, "sessions that were kept in the journal are damaged; their clients connect anew");
                Ok(Vec::new())
            }
            read => read.map_err(unavailable),
        }
    }

    /// All that an admin decided.
    pub(super) fn decisions(&self) -> Result<Decisions, Unreadable> {
        decisions::read(&self.lock())
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Connection> {
        self.connection
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

#[allow(clippy::needless_pass_by_value)]
fn unavailable(error: rusqlite::Error) -> JournalError {
    JournalError::Unavailable(error.to_string())
}
