//! The journal that several nodes share: one stream on Redis or Valkey.
//!
//! ```text
//!  append ─▶ queue ─▶ writer: one script for all that waits ─▶ the engine's stream
//!                                                                    │
//!  hub    ◀─ newest records in memory ◀─ follower: events of all nodes ◀─┘
//!  read   ─▶ newest records in memory, else a reading connection
//! ```
//!
//! Each of the three has a connection and, but for reads, a thread of its own: one waits for answers, one for events. A
//! place is that of the engine's order, so a cursor means the same on every node. Replication of the engine is
//! asynchronous: one that is promoted may lack the newest events. The script notices another history by the engine's
//! replication id and begins a generation, whose epoch tells its places from those that were lost. `follower` has the
//! whole of the protocol: what is put back, when the writer may go on, and when readers are shown the other history.

mod beside;
mod chores;
mod decisions;
mod follower;
mod heal;
mod keys;
mod lost;
mod options;
mod own;
mod past;
mod reader;
mod saving;
mod scripts;
mod sessions;
mod shared;
mod stride;
#[cfg(test)]
pub(in crate::journal) mod testing;
#[cfg(test)]
mod tests;
mod threads;
mod timeline;
mod trial;
mod writer;

use std::{
    sync::{Arc, atomic::Ordering},
    time::Instant,
};

use futures_util::future::{BoxFuture, ready};
use tokio::sync::{oneshot, watch};

use super::{
    Appending, Batch, Bounds, Checkpoint, Entry, Epoch, Health, Journal, JournalError, KeptText,
    Seq, SessionChange, Way,
    queue::{Append, Decide, Job, Queue, answer},
};
use crate::{
    decision::{Decision, DecisionKeeper, Decisions},
    engine::{Engine, Fault},
    error::Error,
    observe::JournalMetrics,
    timestamp::Timestamp,
};

use follower::Follower;
use keys::Keys;
pub use options::{Acks, RedisOptions};
use reader::Reader;
use scripts::Scripts;
use shared::Shared;
use threads::Threads;
pub use trial::Trial;
use writer::Writer;

/// A [`Journal`] on Redis or Valkey.
#[derive(Debug)]
pub struct RedisJournal {
    /// The way to the one thread that writes.
    queue: Arc<Queue>,
    /// State that the threads share.
    shared: Arc<Shared>,
    /// A connection of its own, so that a read waits for no write.
    reader: Arc<Reader>,
    threads: Threads,
}

impl RedisJournal {
    /// Tries the engine as a journal uses it, beside what it keeps; a server may use it meanwhile.
    ///
    /// # Errors
    /// As [`RedisJournal::open`], and where the user that the address names may not do all that a journal does.
    pub fn check(options: &RedisOptions) -> Result<Trial, Fault> {
        trial::run(options)
    }

    /// Connects with the engine, and begins to follow its stream.
    ///
    /// # Errors
    /// The engine can't be reached, is no primary, is too old, or what it keeps under the deployment's keys is not Stoa's.
    pub fn open(options: RedisOptions) -> Result<Self, Fault> {
        let timeout = options.timeout;
        let journal = Self::write(options).map_err(|fault| fault.within(timeout))?;
        journal.follow()?;
        Ok(journal)
    }

    /// A journal that writes, and does not follow yet.
    fn write(options: RedisOptions) -> Result<Self, Fault> {
        let engine = Engine::new(&options.url, &options.sentinels, options.timeout)?;
        let keys = Keys::of(&options.deployment);
        let mut connection = engine.connect(options.timeout)?;
        trial::version(&mut connection)?;
        let now = Timestamp::now().as_micros() / 1_000;
        Scripts::new().begin(&mut connection, &keys, now)?;
        let past = past::past(&mut connection, &keys)?;
        let queue = Queue::new(options.held.queue);
        let shared = Arc::new(Shared::new(options, engine, past));
        let journal = Self {
            threads: Threads::new(queue.clone()),
            reader: Arc::new(Reader::new(shared.clone())),
            queue: queue.clone(),
            shared: shared.clone(),
        };
        let start = journal.threads.start("stoa-journal", move || {
            Writer::new(shared).run(&queue);
        });
        start.map_err(redis::RedisError::from)?;
        Ok(journal)
    }

    /// Begins to follow the stream.
    fn follow(&self) -> Result<(), Fault> {
        let follower = Follower::new(self.shared.clone());
        let start = self.threads.start("stoa-follower", move || follower.run());
        Ok(start.map_err(redis::RedisError::from)?)
    }

    /// Everything that an admin decided and is kept here.
    ///
    /// # Errors
    /// The list can't be read: then nobody may come in, since it is not known who is kept out.
    pub fn decisions(&self) -> Result<Decisions, Fault> {
        self.reader.decisions()
    }

    fn job<T: Send + 'static>(
        &self,
        job: impl FnOnce(oneshot::Sender<Result<T, JournalError>>) -> Job,
    ) -> BoxFuture<'_, Result<T, JournalError>> {
        let (reply, done) = oneshot::channel();
        let queued = self.queue.push(job(reply));
        Box::pin(async move {
            queued?;
            answer(done).await
        })
    }

    /// Reads on a thread that may wait.
    fn aside<T: Send + 'static>(
        &self,
        read: impl FnOnce(&Reader) -> Result<T, Fault> + Send + 'static,
    ) -> BoxFuture<'_, Result<T, JournalError>> {
        let reader = self.reader.clone();
        Box::pin(async move {
            let read = tokio::task::spawn_blocking(move || read(&reader)).await;
            let read =
                read.map_err(|_| JournalError::Unavailable("reading was interrupted".into()))?;
            read.map_err(|fault| JournalError::Unavailable(fault.to_string()))
        })
    }
}

impl DecisionKeeper for RedisJournal {
    fn keep(&self, decisions: Vec<Decision>) -> BoxFuture<'static, Result<(), Error>> {
        let (reply, kept) = oneshot::channel();
        let made = decisions.clone();
        let queued = self.queue.decide(Decide { decisions, reply });
        let shared = self.shared.clone();
        Box::pin(async move {
            queued?;
            answer(kept).await?;
            Ok(shared.learns(&made).await?)
        })
    }

    fn made_elsewhere(&self) -> Option<watch::Receiver<Decisions>> {
        Some(self.shared.decisions.subscribe())
    }
}

impl Journal for RedisJournal {
    fn epoch(&self) -> Epoch {
        self.shared.timelines.shown().generations.present()
    }

    fn epoch_at(&self, seq: Seq) -> Epoch {
        self.shared.timelines.shown().generations.at(seq)
    }

    fn newest_of(&self, epoch: Epoch) -> Option<Seq> {
        let shown = self.shared.timelines.shown();
        shown.generations.newest(epoch, shown.last())
    }

    fn append_entries(&self, entries: Vec<Entry>) -> Appending {
        // While the engine takes nothing, events need not wait to be refused.
        if let Some(trouble) = self.shared.refuses() {
            return Box::pin(ready(Err(JournalError::Unavailable(trouble))));
        }
        let (reply, kept) = oneshot::channel();
        let append = Append {
            entries,
            accepted: Instant::now(),
            reply,
        };
        let ticket = self.queue.append(append);
        if matches!(ticket, Err(JournalError::Overloaded)) {
            self.shared.metrics.overloaded.inc();
        }
        let (mut grown, shared) = (self.watch(), self.shared.clone());
        let patience = self.shared.options.timeout;
        Box::pin(async move {
            // The ticket gives the place in the queue up when the caller hangs up.
            let ticket = ticket?;
            let kept = answer(kept).await;
            ticket.answered();
            let kept = kept?;
            // Publishers that ask then find what they published, and the cursor that they are told is of the history that
            // has it. That the events are kept is true without.
            let newest = kept.iter().map(|outcome| outcome.seq()).max().unwrap_or(0);
            let timelines = &shared.timelines;
            let read = grown.wait_for(|last| *last >= newest && !timelines.is_superseded());
            tokio::time::timeout(patience, read).await.ok();
            Ok(kept)
        })
    }

    fn read(&self, after: Seq, limit: usize) -> BoxFuture<'_, Result<Batch, JournalError>> {
        let shown = self.shared.timelines.shown();
        let after = after.max(shown.first().saturating_sub(1));
        if let Some(batch) = shown.tail.read(after, limit) {
            return Box::pin(ready(Ok(batch)));
        }
        self.aside(move |reader| reader.read(after, limit, &shown))
    }

    // Nodes don't wait for each other: one that is too far behind begins anew from the checkpoint.
    fn release(&self, _read: Seq) {}

    fn rewinds(&self) -> u64 {
        self.shared.timelines.rewinds()
    }

    fn is_rewound(&self) -> bool {
        self.shared.timelines.is_superseded()
    }

    fn rewind(&self) {
        self.shared.timelines.rewind();
    }

    fn lost(&self, epoch: Epoch) -> Option<(Seq, Way)> {
        self.shared.lost(epoch)
    }

    fn reach(&self, epoch: Epoch, seq: Seq) -> BoxFuture<'_, ()> {
        Box::pin(self.shared.reach(epoch, seq))
    }

    fn is_shared(&self) -> bool {
        true
    }

    fn leads(&self) -> bool {
        self.shared.leads()
    }

    fn bounds(&self) -> Bounds {
        let shown = self.shared.timelines.shown();
        Bounds {
            first: shown.first(),
            last: shown.last(),
        }
    }

    fn watch(&self) -> watch::Receiver<Seq> {
        self.shared.timelines.watch()
    }

    fn ended(&self) -> BoxFuture<'static, ()> {
        let mut alive = self.threads.watch();
        // The only change is the end of a thread.
        Box::pin(async move { drop(alive.changed().await) })
    }

    fn health(&self) -> Health {
        Health {
            trouble: self.shared.trouble(),
            damaged: 0,
        }
    }

    fn waiting(&self) -> u64 {
        self.queue.events()
    }

    fn metrics(&self) -> JournalMetrics {
        self.shared.metrics.clone()
    }

    fn close(&self) {
        // The writer first takes all that waits.
        self.queue.push(Job::Stop).ok();
        self.threads
            .join(|| self.shared.stop.store(true, Ordering::Release));
    }

    fn keeps_checkpoints(&self) -> bool {
        true
    }

    fn save_checkpoint(
        &self,
        (epoch, seq): (Epoch, Seq),
        last: String,
    ) -> BoxFuture<'_, Result<(), JournalError>> {
        self.job(|reply| Job::Checkpoint {
            epoch,
            seq,
            part: None,
            text: last,
            reply,
        })
    }

    fn save_checkpoint_part(
        &self,
        (epoch, seq): (Epoch, Seq),
        part: u32,
        text: String,
    ) -> BoxFuture<'_, Result<(), JournalError>> {
        let part = Some(part);
        self.job(|reply| Job::Checkpoint {
            epoch,
            seq,
            part,
            text,
            reply,
        })
    }

    fn save_text(&self, name: KeptText, text: String) -> BoxFuture<'_, Result<(), JournalError>> {
        self.job(|reply| Job::Text { name, text, reply })
    }

    fn load_text(&self, name: KeptText) -> BoxFuture<'_, Result<Option<String>, JournalError>> {
        self.aside(move |reader| reader.text(name))
    }

    fn save_sessions(
        &self,
        changes: Vec<SessionChange>,
    ) -> BoxFuture<'_, Result<Vec<String>, JournalError>> {
        self.job(|reply| Job::Sessions { changes, reply })
    }

    fn claim_session(&self, name: String) -> BoxFuture<'_, Result<Option<String>, JournalError>> {
        self.aside(move |reader| reader.claim(&name))
    }

    fn load_sessions(&self) -> BoxFuture<'_, Result<Vec<(String, String)>, JournalError>> {
        self.aside(Reader::sessions)
    }

    fn newest_checkpoint(&self) -> BoxFuture<'_, Result<Option<Checkpoint>, JournalError>> {
        self.aside(|reader| {
            let newest = reader.newest_checkpoint()?;
            Ok(newest.map(|newest| Checkpoint {
                seq: newest.seq,
                key: newest.key.into(),
                parts: Some(newest.parts),
            }))
        })
    }

    fn load_checkpoint(
        &self,
        of: &Checkpoint,
        part: u32,
    ) -> BoxFuture<'_, Result<Option<String>, JournalError>> {
        let key = of.key.clone();
        self.aside(move |reader| reader.checkpoint_part(&key, part))
    }
}

impl Drop for RedisJournal {
    fn drop(&mut self) {
        self.close();
    }
}
