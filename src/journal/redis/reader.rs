//! Reads what is not in memory any more, over a connection of its own.

use std::{
    fmt,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use redis::Connection;

use super::{
    keys::Keys,
    past::{self, Item, Newest},
    sessions::{self, SessionScripts},
    shared::Shared,
    timeline::Timeline,
};
use crate::{
    decision::Decisions,
    engine::Fault,
    journal::{Batch, KeptText, Seq, entry},
};

/// Events of one call: each may have a megabyte.
const AT_A_TURN: usize = 128;
/// The longest time for which a reader waits until the follower has compared the engine's history.
const COMPARISON_PATIENCE: Duration = Duration::from_secs(1);

pub(super) struct Reader {
    shared: Arc<Shared>,
    /// Made when it is first needed, and again after an error.
    connection: Mutex<Option<Connection>>,
    /// The times that another history was shown when the connection was last used: its engine may be the primary no more.
    rewinds: AtomicU64,
    claims: SessionScripts,
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
            rewinds: AtomicU64::new(0),
            claims: SessionScripts::new(),
        }
    }

    fn call<T>(&self, call: impl Fn(&mut Connection) -> Result<T, Fault>) -> Result<T, Fault> {
        let mut held = self
            .connection
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let rewinds = self.shared.timelines.rewinds();
        if self.rewinds.swap(rewinds, Ordering::AcqRel) != rewinds {
            *held = None;
        }
        if let Some(connection) = held.as_mut() {
            match call(connection) {
                Ok(answer) => return Ok(answer),
                // The connection may have been idle for long.
                Err(_) => *held = None,
            }
        }
        let timeout = self.shared.options.timeout;
        let new = self.shared.engine.connect(timeout);
        let new = new.map_err(|fault| fault.within(timeout))?;
        let answer = call(held.insert(new));
        if answer.is_err() {
            *held = None;
        }
        answer.map_err(|fault| fault.within(timeout))
    }

    /// Up to `limit` records after `after`, of the history that is shown; of another one, none.
    pub(super) fn read(&self, after: Seq, limit: usize, shown: &Timeline) -> Result<Batch, Fault> {
        let (last, generations) = (shown.last(), &shown.generations);
        let mut batch = Batch::after(after);
        let mut left = limit;
        while left > 0 && batch.to < last && !batch.is_full() {
            let (from, count) = (batch.to + 1, left.min(AT_A_TURN));
            let compared = self.shared.own.comparisons();
            let items =
                self.call(|connection| past::range(connection, &self.shared.keys, from, count))?;
            let is_of_it = |item: &Item| generations.is_at(item.epoch, item.seq);
            if !items.first().is_some_and(is_of_it) {
                if batch.to > after {
                    break;
                }
                return self.lacks(from, compared);
            }
            let accepted = Instant::now();
            for item in items {
                if item.seq > last || batch.is_full() || !is_of_it(&item) {
                    return Ok(batch);
                }
                left -= 1;
                batch.push(item.seq, entry::parse(item.seq, &item.kept.text, accepted));
            }
        }
        Ok(batch)
    }

    /// The answer where the engine has no such event any more: it was trimmed, or the engine lost it, which the follower
    /// looks at first.
    fn lacks(&self, from: Seq, compared: u64) -> Result<Batch, Fault> {
        self.shared.suspects();
        let patience = COMPARISON_PATIENCE.min(self.shared.options.timeout);
        self.shared.own.wait_for_comparison(compared, patience);
        match self.shared.timelines.shown().first() > from {
            true => Ok(Batch::after(from - 1)),
            false => Err(Fault::Ended),
        }
    }

    /// The newest checkpoint of the history that is shown.
    pub(super) fn newest_checkpoint(&self) -> Result<Option<Newest>, Fault> {
        let mut is_compared = false;
        loop {
            let compared = self.shared.own.comparisons();
            let newest = self.call(|connection| past::checkpoint(connection, &self.shared.keys))?;
            let Some(newest) = newest else {
                return Ok(None);
            };
            let shown = self.shared.timelines.shown();
            let reach = shown.generations.newest(newest.epoch, Seq::MAX);
            if reach.is_some_and(|reach| newest.seq <= reach) {
                return Ok(Some(newest));
            }
            if self.shared.timelines.is_superseded() {
                return Err(Fault::Ended);
            }
            if is_compared {
                tracing::warn!(
                    place = newest.seq,
                    "the saved state holds events that the journal's engine lost; it is not used"
                );
                return Ok(None);
            }
            // Another node may have saved it in a generation that this one has not compared yet.
            self.shared.suspects();
            let patience = COMPARISON_PATIENCE.min(self.shared.options.timeout);
            self.shared.own.wait_for_comparison(compared, patience);
            if self.shared.own.comparisons() == compared {
                return Err(Fault::Ended);
            }
            is_compared = true;
        }
    }

    /// A part of a checkpoint; none after the last, or if it was replaced.
    pub(super) fn checkpoint_part(&self, key: &str, part: u32) -> Result<Option<String>, Fault> {
        self.call(|connection| {
            let mut get = redis::cmd("HGET");
            Ok(get.arg(key).arg(part).query(connection)?)
        })
    }

    pub(super) fn text(&self, name: KeptText) -> Result<Option<String>, Fault> {
        let field = Keys::text(name, &self.shared.options.node);
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
            sessions::of_node(connection, &self.shared.keys, &self.shared.options.node)
        })
    }

    /// Takes a session over from another node.
    pub(super) fn claim(&self, name: &str) -> Result<Option<String>, Fault> {
        let (keys, node) = (&self.shared.keys, &self.shared.options.node);
        self.call(|connection| self.claims.claim(connection, keys, node, name))
    }

    pub(super) fn decisions(&self) -> Result<Decisions, Fault> {
        let all = self.call(|connection| past::decisions(connection, &self.shared.keys))?;
        Ok(all.1)
    }
}
