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
//! replication id and begins a generation, whose epoch tells its places from those that were lost; the follower puts back
//! what this node has read of them.

mod beside;
mod chores;
mod decisions;
mod engine;
mod follower;
mod keys;
mod lost;
mod options;
mod past;
mod reader;
mod scripts;
mod shared;
#[cfg(test)]
pub(in crate::journal) mod testing;
#[cfg(test)]
mod tests;
mod trial;
mod writer;

use std::{
    sync::{Arc, Mutex, PoisonError, atomic::Ordering},
    thread::JoinHandle,
    time::Instant,
};

use futures_util::future::{BoxFuture, ready};
use tokio::sync::{oneshot, watch};

use super::{
    Appending, Batch, Bounds, Entry, Epoch, Health, Journal, JournalError, KeptText, Seq, Way,
    queue::{Append, Decide, Job, Queue, answer},
};
use crate::{
    decision::{Decision, DecisionKeeper, Decisions},
    error::Error,
    observe::JournalMetrics,
    timestamp::Timestamp,
};
use engine::Engine;
pub use engine::Fault;
use follower::Follower;
use keys::Keys;
pub use options::{Acks, RedisOptions};
use reader::Reader;
use scripts::Scripts;
use shared::Shared;
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
    /// Closed when a thread ends.
    alive: watch::Receiver<()>,
    /// Joined at the end.
    threads: Mutex<Vec<JoinHandle<()>>>,
}

/// Notices the end of a thread, also by a panic: nobody waits for an answer that never comes.
struct ThreadEnd {
    queue: Arc<Queue>,
    lives: Arc<watch::Sender<()>>,
}

impl Drop for ThreadEnd {
    fn drop(&mut self) {
        self.queue.close();
        self.lives.send_replace(());
    }
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
        let engine = Engine::new(&options.url, &options.sentinels, options.timeout)?;
        let keys = Keys::of(&options.deployment);
        let mut connection = engine.connect(options.timeout)?;
        trial::version(&mut connection)?;
        let now = Timestamp::now().as_micros() / 1_000;
        Scripts::new().append(&mut connection, &keys, now, std::iter::empty())?;
        let generations = past::generations(&mut connection, &keys)?;
        let ends = past::ends(&mut connection, &keys)?;
        let checkpoint = past::checkpoint(&mut connection, &keys)?.map_or(0, |(seq, _)| seq);
        let bounds = (ends.first, ends.last, checkpoint);
        let queue = Queue::new(options.held.queue);
        let shared = Arc::new(Shared::new(options, engine, generations, bounds));
        let (lives, alive) = watch::channel(());
        let lives = Arc::new(lives);
        let end = || ThreadEnd {
            queue: queue.clone(),
            lives: lives.clone(),
        };
        let writer = Writer::new(shared.clone());
        let follower = Follower::new(shared.clone());
        let (written, followed, jobs) = (end(), end(), queue.clone());
        let spawn = |name: &str| std::thread::Builder::new().name(name.into());
        let threads = vec![
            spawn("stoa-journal").spawn(move || {
                let _end = written;
                writer.run(&jobs);
            }),
            spawn("stoa-follower").spawn(move || {
                let _end = followed;
                follower.run();
            }),
        ];
        let threads: std::io::Result<Vec<_>> = threads.into_iter().collect();
        Ok(Self {
            queue,
            reader: Arc::new(Reader::new(shared.clone())),
            shared,
            alive,
            threads: Mutex::new(threads.map_err(redis::RedisError::from)?),
        })
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
        let queued = self.queue.decide(Decide { decisions, reply });
        Box::pin(async move {
            queued?;
            Ok(answer(kept).await?)
        })
    }

    fn made_elsewhere(&self) -> Option<watch::Receiver<Decisions>> {
        Some(self.shared.decisions.subscribe())
    }
}

impl Journal for RedisJournal {
    fn epoch(&self) -> Epoch {
        self.shared.generations.load().present()
    }

    fn epoch_at(&self, seq: Seq) -> Epoch {
        self.shared.generations.load().at(seq)
    }

    fn newest_of(&self, epoch: Epoch) -> Option<Seq> {
        let last = self.shared.last.load(Ordering::Acquire);
        self.shared.generations.load().newest(epoch, last)
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
        let mut grown = self.watch();
        let patience = self.shared.options.timeout;
        Box::pin(async move {
            // The ticket gives the place in the queue up when the caller hangs up.
            let ticket = ticket?;
            let kept = answer(kept).await;
            ticket.answered();
            let kept = kept?;
            // Publishers that ask then find what they published. That the events are kept is true without.
            let newest = kept.iter().map(|outcome| outcome.seq()).max().unwrap_or(0);
            let read = grown.wait_for(|last| *last >= newest);
            tokio::time::timeout(patience, read).await.ok();
            Ok(kept)
        })
    }

    fn read(&self, after: Seq, limit: usize) -> BoxFuture<'_, Result<Batch, JournalError>> {
        let bounds = self.bounds();
        let after = after.max(bounds.first.saturating_sub(1));
        if let Some(batch) = self.shared.tail.read(after, limit) {
            return Box::pin(ready(Ok(batch)));
        }
        self.aside(move |reader| reader.read(after, limit, bounds.last))
    }

    // Nodes don't wait for each other: one that is too far behind begins anew from the checkpoint.
    fn release(&self, _read: Seq) {}

    fn rewinds(&self) -> u64 {
        self.shared.rewinds.load(Ordering::Acquire)
    }

    fn lost(&self, epoch: Epoch) -> Option<(Seq, Way)> {
        self.shared.lost(epoch)
    }

    fn is_shared(&self) -> bool {
        true
    }

    fn leads(&self) -> bool {
        self.shared.leads.load(Ordering::Acquire)
    }

    fn bounds(&self) -> Bounds {
        Bounds {
            first: self.shared.first.load(Ordering::Acquire),
            last: self.shared.last.load(Ordering::Acquire),
        }
    }

    fn watch(&self) -> watch::Receiver<Seq> {
        self.shared.grown.subscribe()
    }

    fn ended(&self) -> BoxFuture<'static, ()> {
        let mut alive = self.alive.clone();
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
        let mut threads = self.threads.lock().unwrap_or_else(PoisonError::into_inner);
        let mut threads = threads.drain(..);
        if let Some(writer) = threads.next() {
            writer.join().ok();
        }
        self.shared.stop.store(true, Ordering::Release);
        for thread in threads {
            thread.join().ok();
        }
    }

    fn keeps_checkpoints(&self) -> bool {
        true
    }

    fn save_checkpoint(&self, seq: Seq, text: String) -> BoxFuture<'_, Result<(), JournalError>> {
        let part = None;
        self.job(|reply| Job::Checkpoint {
            seq,
            part,
            text,
            reply,
        })
    }

    fn save_checkpoint_part(
        &self,
        seq: Seq,
        part: u32,
        text: String,
    ) -> BoxFuture<'_, Result<(), JournalError>> {
        let part = Some(part);
        self.job(|reply| Job::Checkpoint {
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
        changes: Vec<(String, Option<String>)>,
    ) -> BoxFuture<'_, Result<(), JournalError>> {
        self.job(|reply| Job::Sessions { changes, reply })
    }

    fn load_sessions(&self) -> BoxFuture<'_, Result<Vec<(String, String)>, JournalError>> {
        self.aside(Reader::sessions)
    }

    fn load_checkpoint(
        &self,
        part: u32,
    ) -> BoxFuture<'_, Result<Option<(Seq, String)>, JournalError>> {
        self.aside(move |reader| reader.checkpoint(part))
    }
}

impl Drop for RedisJournal {
    fn drop(&mut self) {
        self.close();
    }
}
