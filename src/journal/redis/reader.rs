//! Reads what is not in memory any more, over connections of its own.

use std::{
    fmt,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use redis::Connection;

use super::{
    past::{self, Item, Newest},
    sessions::{self, SessionScripts},
    shared::Shared,
    stride::Stride,
    timeline::Timeline,
};
use crate::{
    decision::Decisions,
    engine::Fault,
    journal::{Batch, KeptText, Seq, entry},
    timestamp::Timestamp,
};

/// Connections that are kept for whoever reads next.
const MAX_IDLE: usize = 4;
/// The longest time for which a reader waits until the follower has compared the engine's history.
const COMPARISON_PATIENCE: Duration = Duration::from_secs(1);

pub(super) struct Reader {
    shared: Arc<Shared>,
    /// Connections over which nobody reads now. They are made when they are needed, so that nobody waits for another's answer.
    idle: Mutex<Vec<Connection>>,
    /// The times that another history was shown when one was last used: its engine may be the primary no more.
    rewinds: AtomicU64,
    stride: Stride,
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
            idle: Mutex::default(),
            rewinds: AtomicU64::new(0),
            stride: Stride::new(),
            claims: SessionScripts::new(),
        }
    }

    /// Calls the engine over a connection that nobody else waits for.
    fn call<T>(&self, call: impl Fn(&mut Connection) -> Result<T, Fault>) -> Result<T, Fault> {
        if let Some(reason) = self.shared.is_away() {
            return Err(Fault::Away(reason));
        }
        let rewinds = self.shared.timelines.rewinds();
        if self.rewinds.swap(rewinds, Ordering::AcqRel) != rewinds {
            self.idle().clear();
        }
        let held = self.idle().pop();
        if let Some(mut held) = held {
            match call(&mut held) {
                Ok(answer) => {
                    self.keep(held);
                    return Ok(answer);
                }
                // The connections may have been idle for long.
                Err(_) => self.idle().clear(),
            }
        }
        let timeout = self.shared.options.timeout;
        let new = self.shared.engine.connect(timeout);
        let mut new = new.map_err(|fault| fault.within(timeout))?;
        let answer = call(&mut new).map_err(|fault| fault.within(timeout))?;
        self.keep(new);
        Ok(answer)
    }

    fn keep(&self, connection: Connection) {
        let mut idle = self.idle();
        if idle.len() < MAX_IDLE {
            idle.push(connection);
        }
    }

    fn idle(&self) -> MutexGuard<'_, Vec<Connection>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Up to `limit` records after `after`, of the history that is shown; of another one, none.
    pub(super) fn read(&self, after: Seq, limit: usize, shown: &Timeline) -> Result<Batch, Fault> {
        let (last, generations) = (shown.last(), &shown.generations);
        let mut batch = Batch::after(after);
        let mut left = limit;
        while left > 0 && batch.to < last && !batch.is_full() {
            let (from, count) = (batch.to + 1, left.min(self.stride.count()));
            let compared = self.shared.own.comparisons();
            let items =
                self.call(|connection| past::range(connection, &self.shared.keys, from, count))?;
            self.stride.note(&items);
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
                let Some(fewer) = left.checked_sub(1) else {
                    return Ok(batch);
                };
                left = fewer;
                batch.push(item.seq, entry::parse(item.seq, &item.kept.text, accepted));
            }
        }
        Ok(batch)
    }

    /// The answer where the engine has no such event any more: it was trimmed, or the engine lost it, which the follower
    /// looks at first.
    fn lacks(&self, from: Seq, compared: u64) -> Result<Batch, Fault> {
        self.shared.suspects();
        // The engine may be the primary no more.
        self.idle().clear();
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
        let key = self.shared.keys.text(name, &self.shared.options.node);
        self.call(|connection| Ok(redis::cmd("GET").arg(&key).query(connection)?))
    }

    pub(super) fn sessions(&self) -> Result<Vec<(String, String)>, Fault> {
        self.call(|connection| {
            sessions::of_node(connection, &self.shared.keys, &self.shared.options.node)
        })
    }

    /// Takes a session over from another node.
    pub(super) fn claim(&self, name: &str) -> Result<Option<String>, Fault> {
        let (keys, node) = (&self.shared.keys, &self.shared.options.node);
        // The same for a second try, whose first answer may have been lost.
        let now = Timestamp::now().as_micros() / 1_000;
        self.call(|connection| self.claims.claim(connection, keys, (node, now), name))
    }

    pub(super) fn decisions(&self) -> Result<Decisions, Fault> {
        let all = self.call(|connection| past::decisions(connection, &self.shared.keys))?;
        Ok(all.1)
    }
}
