//! Reads what is not in memory any more, over a connection of its own.

use std::{
    collections::HashMap,
    fmt,
    sync::{Arc, Mutex, PoisonError},
    time::Instant,
};

use redis::Connection;

use super::{engine::Fault, past, shared::Shared};
use crate::{
    decision::Decisions,
    journal::{Batch, KeptText, Seq, entry},
};

/// Events of one call: each may have a megabyte.
const AT_A_TURN: usize = 128;

pub(super) struct Reader {
    shared: Arc<Shared>,
    /// Made when it is first needed, and again after an error.
    connection: Mutex<Option<Connection>>,
}

// A connection has no debug form.
impl fmt::Debug for Reader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reader").finish_non_exhaustive()
    }
}

impl Reader {
    pub(super) fn new(shared: Arc<Shared>) -> Self {
        Self {
            shared,
            connection: Mutex::new(None),
        }
    }

    fn call<T>(&self, call: impl Fn(&mut Connection) -> Result<T, Fault>) -> Result<T, Fault> {
        let mut held = self
            .connection
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        if let Some(connection) = held.as_mut() {
            match call(connection) {
                Ok(answer) => return Ok(answer),
                // The connection may have been idle for long.
                Err(_) => *held = None,
            }
        }
        let new = self.shared.engine.connect(self.shared.options.timeout)?;
        let answer = call(held.insert(new));
        if answer.is_err() {
            *held = None;
        }
        answer
    }

    /// Up to `limit` records after `after`, and none after `last`.
    pub(super) fn read(&self, after: Seq, limit: usize, last: Seq) -> Result<Batch, Fault> {
        let mut batch = Batch::after(after);
        let mut left = limit;
        while left > 0 && batch.to < last && !batch.is_full() {
            let (from, count) = (batch.to + 1, left.min(AT_A_TURN));
            let items =
                self.call(|connection| past::range(connection, &self.shared.keys, from, count))?;
            if items.is_empty() {
                break;
            }
            let accepted = Instant::now();
            for item in items {
                if item.seq > last || batch.is_full() {
                    return Ok(batch);
                }
                left -= 1;
                batch.push(item.seq, entry::parse(item.seq, &item.kept.text, accepted));
            }
        }
        Ok(batch)
    }

    /// This part of the newest checkpoint.
    pub(super) fn checkpoint(&self, part: u32) -> Result<Option<(Seq, String)>, Fault> {
        self.call(|connection| {
            let Some((seq, parts)) = past::checkpoint(connection, &self.shared.keys)? else {
                return Ok(None);
            };
            let mut get = redis::cmd("HGET");
            let text: Option<String> = get.arg(parts).arg(part).query(connection)?;
            Ok(text.map(|text| (seq, text)))
        })
    }

    pub(super) fn text(&self, name: KeptText) -> Result<Option<String>, Fault> {
        let field = format!("{}:{}", name.name(), self.shared.options.node);
        self.call(|connection| {
            let mut get = redis::cmd("HGET");
            Ok(get
                .arg(&self.shared.keys.texts)
                .arg(&field)
                .query(connection)?)
        })
    }

    pub(super) fn sessions(&self) -> Result<Vec<(String, String)>, Fault> {
        self.call(|connection| {
            let mut get = redis::cmd("HGETALL");
            let all: HashMap<String, String> =
                get.arg(&self.shared.keys.sessions).query(connection)?;
            Ok(all.into_iter().collect())
        })
    }

    pub(super) fn decisions(&self) -> Result<Decisions, Fault> {
        self.call(|connection| past::decisions(connection, &self.shared.keys))
    }
}
