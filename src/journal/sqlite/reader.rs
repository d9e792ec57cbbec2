//! Reads what is no longer at hand. Called from threads that may wait.

use std::{
    path::Path,
    sync::{Arc, Mutex, PoisonError},
    time::Instant,
};

use rusqlite::{Connection, OpenFlags, OptionalExtension};

use super::{BUSY, JournalError, Record, Seq};
use crate::event::Event;

#[derive(Debug)]
pub(super) struct Reader(Mutex<Connection>);

impl Reader {
    pub(super) fn open(path: &Path) -> rusqlite::Result<Self> {
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connection = Connection::open_with_flags(path, flags)?;
        connection.busy_timeout(BUSY)?;
        Ok(Self(Mutex::new(connection)))
    }

    pub(super) fn read(&self, after: Seq, limit: usize) -> Result<Vec<Arc<Record>>, JournalError> {
        let now = Instant::now();
        let rows = self.with(|connection| {
            let mut query = connection.prepare_cached(
                "SELECT seq, event FROM events WHERE seq > ?1 ORDER BY seq LIMIT ?2",
            )?;
            let limit = i64::try_from(limit).unwrap_or(i64::MAX);
            let rows = query.query_map((after, limit), |row| {
                Ok((row.get::<_, u64>(0)?, row.get::<_, String>(1)?))
            })?;
            rows.collect::<rusqlite::Result<Vec<_>>>()
        })?;
        rows.into_iter()
            .map(|(seq, text)| {
                let event = Event::from_stored(&text)
                    .map_err(|_| JournalError(format!("event {seq} in the file is damaged")))?;
                Ok(Arc::new(Record {
                    seq,
                    weight: text.len(),
                    event: Arc::new(event),
                    accepted: now,
                }))
            })
            .collect()
    }

    pub(super) fn checkpoint(&self) -> Result<Option<(Seq, String)>, JournalError> {
        self.with(|connection| {
            connection
                .query_row(
                    "SELECT seq, state FROM checkpoints ORDER BY seq DESC LIMIT 1",
                    [],
                    |row| Ok((row.get(0)?, row.get(1)?)),
                )
                .optional()
        })
    }

    fn with<T>(
        &self,
        read: impl FnOnce(&Connection) -> rusqlite::Result<T>,
    ) -> Result<T, JournalError> {
        let connection = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        read(&connection).map_err(|e| JournalError(e.to_string()))
    }
}
