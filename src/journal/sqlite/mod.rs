//! The embedded journal: one SQLite file in WAL mode, which any SQLite tool can open.
//!
//! ```text
//!  append ─▶ queue ─▶ writer thread: one transaction for all that waits ─▶ newest records in memory ─▶ hub
//!  read   ─▶ newest records in memory, else a reading connection
//! ```
//!
//! An append is answered after its transaction. With [`Durability::Process`] the operating system has the data then:
//! the end of the process loses nothing. With [`Durability::Disk`] the disk has it. A failing write is answered with an
//! error and none of its events is kept; the writer tries again by itself, and reports the trouble until it works. After several
//! failures in a row the breaker is open: appends are refused at once, and the writer's own small write is the probe that closes it.
//! An admin's decisions are written by the same thread, are tried all the same, and are always on the disk when they are answered.

mod clock;
mod damage;
mod decisions;
mod file;
mod generations;
mod kept;
mod open_error;
mod options;
mod reader;
mod repair;
mod schema;
mod sessions;
mod shared;
#[cfg(test)]
mod tests;
mod trim;
mod watch;
mod writer;

use std::{
    path::PathBuf,
    sync::{Arc, Mutex, PoisonError, atomic::Ordering},
    time::Instant,
};

use futures_util::future::BoxFuture;
use tokio::sync::{oneshot, watch::Sender, watch::channel as watch_channel};

use crate::{
    decision::{Decision, DecisionKeeper, Decisions},
    error::Error,
    journal::{
        Appending, Batch, Bounds, Checkpoint, Entry, Epoch, Health, Journal, JournalError,
        KeptText, Seq, SessionChange,
        generations::Generations,
        queue::{Append, Decide, Job, Queue, answer},
        tail::Tail,
    },
    observe::JournalMetrics,
};
use damage::Damage;
pub use open_error::OpenError;
pub use options::{Durability, HeldBytes, SqliteOptions};
use reader::Reader;
pub use repair::{Repaired, repair};
use shared::Shared;
use watch::Watch;
use writer::Writer;

/// A [`Journal`] in a file.
#[derive(Debug)]
pub struct SqliteJournal {
    /// The file as it was named.
    path: PathBuf,
    /// The way to the one thread that writes.
    queue: Arc<Queue>,
    /// State that the writer shares.
    shared: Arc<Shared>,
    /// A connection of its own, so that a read waits for no write.
    reader: Arc<Reader>,
    /// Kept in the file, because cursors outlive the process.
    generations: Generations,
    /// Closed when the writer's thread ends.
    alive: tokio::sync::watch::Receiver<()>,
    /// Joined at the end, so that the file is closed properly.
    writer: Mutex<Option<std::thread::JoinHandle<()>>>,
    /// Keeps a second server out; released when the file is closed.
    lock: std::fs::File,
}

impl SqliteJournal {
    /// Checks whether the file could be opened or made; a server may be using it.
    ///
    /// # Errors
    /// As [`SqliteJournal::open`], except those that SQLite finds, and a second server.
    pub fn check(path: &std::path::Path) -> Result<(), OpenError> {
        file::could_be_claimed(path)
    }

    /// Opens the file, or makes it.
    ///
    /// # Errors
    /// The file is damaged, of another program, of a newer version, in use, or can't be written. Then it is not
    /// touched.
    pub fn open(options: &SqliteOptions) -> Result<Self, OpenError> {
        let path = &options.path;
        let lock = file::claim(path)?;
        let mut connection = schema::open(path, options.durability)?;
        let (generations, bounds, checkpoint) = schema::read(path, &mut connection)?;
        let metrics = JournalMetrics::default();
        let damage = Arc::new(Damage::new(metrics.clone()));
        let tail = Tail::new(bounds.last, options.held.tail);
        let shared = Arc::new(Shared::new(
            bounds,
            checkpoint,
            tail,
            damage.clone(),
            metrics,
            options.breaker.clone(),
        ));
        let reader = Arc::new(Reader::open(path, damage).map_err(|e| OpenError::sqlite(path, &e))?);
        let watch = Watch::new(path, &lock)
            .map_err(|e| OpenError::new(path, format!("can't be looked at: {e}")))?;
        let queue = Queue::new(options.held.queue);
        let writer = Writer::new(connection, shared.clone(), options, watch);
        let jobs = queue.clone();
        let (lives, alive) = watch_channel(());
        let writer = std::thread::Builder::new()
            .name("stoa-journal".into())
            .spawn(move || {
                let _end = WriterEnd {
                    queue: jobs.clone(),
                    _lives: lives,
                };
                writer.run(&jobs);
            })
            .map_err(|e| OpenError::new(path, format!("can't be written: {e}")))?;
        Ok(Self {
            path: path.clone(),
            queue,
            shared,
            reader,
            generations,
            alive,
            writer: Mutex::new(Some(writer)),
            lock,
        })
    }

    /// Everything that an admin decided and is kept here.
    ///
    /// # Errors
    /// The list can't be read: then nobody may come in, since it is not known who is kept out.
    pub fn decisions(&self) -> Result<Decisions, OpenError> {
        self.reader.decisions().map_err(|error| {
            let reason = format!(
                "is damaged: its bans and revocations can't be read ({error}); `stoa repair` takes what can be read into a copy"
            );
            OpenError::new(&self.path, reason)
        })
    }
}

impl DecisionKeeper for SqliteJournal {
    fn keep(&self, decisions: Vec<Decision>) -> BoxFuture<'static, Result<(), Error>> {
        let (reply, kept) = oneshot::channel();
        let queued = self.queue.decide(Decide { decisions, reply });
        Box::pin(async move {
            queued?;
            Ok(answer(kept).await?)
        })
    }
}

/// Notices the end of the writer's thread, also by a panic: nobody waits for an answer that never comes.
struct WriterEnd {
    queue: Arc<Queue>,
    /// Dropped with this struct, which the receivers notice.
    _lives: Sender<()>,
}

impl Drop for WriterEnd {
    fn drop(&mut self) {
        self.queue.close();
    }
}

impl Journal for SqliteJournal {
    fn epoch(&self) -> Epoch {
        self.generations.present()
    }

    fn epoch_at(&self, seq: Seq) -> Epoch {
        self.generations.at(seq)
    }

    fn newest_of(&self, epoch: Epoch) -> Option<Seq> {
        self.generations.newest(epoch, self.bounds().last)
    }

    fn append_entries(&self, entries: Vec<Entry>) -> Appending {
        // While the disk takes nothing, events need not wait for the writer to be refused.
        if let Err(refused) = self.shared.breaker.check() {
            let refused = JournalError::Unavailable(refused.to_string());
            return Box::pin(futures_util::future::ready(Err(refused)));
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
        Box::pin(async move {
            // The ticket gives the place in the queue up when the caller hangs up.
            let ticket = ticket?;
            let kept = answer(kept).await;
            ticket.answered();
            kept
        })
    }

    fn read(&self, after: Seq, limit: usize) -> BoxFuture<'_, Result<Batch, JournalError>> {
        // Trimmed records may still be in memory.
        let bounds = self.bounds();
        let after = after.max(bounds.first.saturating_sub(1));
        if let Some(batch) = self.shared.tail.read(after, limit) {
            return Box::pin(futures_util::future::ready(Ok(batch)));
        }
        let reader = self.reader.clone();
        Box::pin(async move {
            let read = tokio::task::spawn_blocking(move || reader.read(after, limit, bounds.last));
            read.await.unwrap_or_else(|_| interrupted())
        })
    }

    fn release(&self, read: Seq) {
        self.shared.released.store(read, Ordering::Release);
    }

    fn bounds(&self) -> Bounds {
        Bounds {
            first: self.shared.first.load(Ordering::Acquire),
            last: self.shared.last.load(Ordering::Acquire),
        }
    }

    fn watch(&self) -> tokio::sync::watch::Receiver<Seq> {
        self.shared.grown.subscribe()
    }

    fn ended(&self) -> BoxFuture<'static, ()> {
        let mut alive = self.alive.clone();
        // No value is ever sent: the only change is the end.
        Box::pin(async move { while alive.changed().await.is_ok() {} })
    }

    fn health(&self) -> Health {
        Health {
            trouble: self.shared.trouble(),
            damaged: self.shared.damage.count(),
        }
    }

    fn waiting(&self) -> u64 {
        self.queue.events()
    }

    fn metrics(&self) -> JournalMetrics {
        self.shared.metrics.clone()
    }

    fn close(&self) {
        self.queue.push(Job::Stop).ok();
        let mut writer = self.writer.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(writer) = writer.take() {
            writer.join().ok();
            // Nothing more is written, even if somebody still holds this: another server may have the file.
            self.lock.unlock().ok();
        }
    }

    fn keeps_checkpoints(&self) -> bool {
        true
    }

    fn save_checkpoint(
        &self,
        at: (Epoch, Seq),
        last: String,
    ) -> BoxFuture<'_, Result<(), JournalError>> {
        self.checkpoint(at, None, last)
    }

    fn save_checkpoint_part(
        &self,
        at: (Epoch, Seq),
        part: u32,
        text: String,
    ) -> BoxFuture<'_, Result<(), JournalError>> {
        self.checkpoint(at, Some(part), text)
    }

    fn save_text(&self, name: KeptText, text: String) -> BoxFuture<'_, Result<(), JournalError>> {
        let (reply, saved) = oneshot::channel();
        let queued = self.queue.push(Job::Text { name, text, reply });
        Box::pin(async move {
            queued?;
            answer(saved).await
        })
    }

    fn load_text(&self, name: KeptText) -> BoxFuture<'_, Result<Option<String>, JournalError>> {
        let reader = self.reader.clone();
        Box::pin(async move {
            let read = tokio::task::spawn_blocking(move || reader.text(name));
            read.await.unwrap_or_else(|_| interrupted())
        })
    }

    fn save_sessions(
        &self,
        changes: Vec<SessionChange>,
    ) -> BoxFuture<'_, Result<Vec<String>, JournalError>> {
        let (reply, saved) = oneshot::channel();
        let queued = self.queue.push(Job::Sessions { changes, reply });
        Box::pin(async move {
            queued?;
            answer(saved).await
        })
    }

    fn load_sessions(&self) -> BoxFuture<'_, Result<Vec<(String, String)>, JournalError>> {
        let reader = self.reader.clone();
        Box::pin(async move {
            let read = tokio::task::spawn_blocking(move || reader.sessions());
            read.await.unwrap_or_else(|_| interrupted())
        })
    }

    fn newest_checkpoint(&self) -> BoxFuture<'_, Result<Option<Checkpoint>, JournalError>> {
        Box::pin(async move {
            let newest = self.checkpoint_part(0).await?;
            Ok(newest.map(|(seq, _)| Checkpoint {
                seq,
                key: "".into(),
                parts: None,
            }))
        })
    }

    fn load_checkpoint(
        &self,
        of: &Checkpoint,
        part: u32,
    ) -> BoxFuture<'_, Result<Option<String>, JournalError>> {
        let newest = of.seq;
        Box::pin(async move {
            let text = self.checkpoint_part(part).await?;
            Ok(text.and_then(|(seq, text)| (seq == newest).then_some(text)))
        })
    }
}

impl SqliteJournal {
    /// This part of the newest checkpoint, and its place.
    async fn checkpoint_part(&self, part: u32) -> Result<Option<(Seq, String)>, JournalError> {
        let reader = self.reader.clone();
        let read = tokio::task::spawn_blocking(move || reader.checkpoint(part));
        read.await.unwrap_or_else(|_| interrupted())
    }

    /// Has the writer keep a part of a checkpoint, or its last one.
    fn checkpoint(
        &self,
        (epoch, seq): (Epoch, Seq),
        part: Option<u32>,
        text: String,
    ) -> BoxFuture<'_, Result<(), JournalError>> {
        let (reply, saved) = oneshot::channel();
        let queued = self.queue.push(Job::Checkpoint {
            epoch,
            seq,
            part,
            text,
            reply,
        });
        Box::pin(async move {
            queued?;
            answer(saved).await
        })
    }
}

fn interrupted<T>() -> Result<T, JournalError> {
    Err(JournalError::Unavailable("reading was interrupted".into()))
}

impl Drop for SqliteJournal {
    fn drop(&mut self) {
        self.close();
    }
}
