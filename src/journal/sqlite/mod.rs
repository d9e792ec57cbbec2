//! The embedded journal: one SQLite file in WAL mode, which any SQLite tool can open.
//!
//! ```text
//!  append ─▶ queue ─▶ writer thread: one transaction for all that waits ─▶ newest records at hand ─▶ hub
//!  read   ─▶ newest records at hand, else a reading connection
//! ```
//!
//! An append is answered after its transaction. With [`Durability::Process`] the data is then with the operating system:
//! the end of the process loses nothing. With [`Durability::Disk`] it is on the disk. A failing write is answered with an
//! error and nothing of it is kept; the writer tries again by itself, and says so until it works.

mod file;
mod reader;
mod schema;
mod tail;
#[cfg(test)]
mod tests;
mod trim;
mod writer;

use std::{
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
        mpsc,
    },
    time::{Duration, Instant},
};

use futures_util::future::BoxFuture;
use thiserror::Error;
use tokio::sync::{oneshot, watch};

use super::{Bounds, Epoch, Journal, JournalError, Outcome, Record, Retention, Seq};
use crate::event::Event;
use reader::Reader;
use tail::Tail;
use writer::{Append, Job, Writer};

/// When an append is answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Durability {
    /// When the operating system has it: the end of the process loses nothing.
    Process,
    /// When the disk has it: the end of the power loses nothing.
    Disk,
}

/// What the configuration says of the file.
#[derive(Debug, Clone)]
pub struct SqliteOptions {
    /// The file; its folder is made when it isn't there.
    pub path: PathBuf,
    /// When an append is answered.
    pub durability: Durability,
    /// How much is kept, by count and age.
    pub retention: Retention,
    /// How much is kept, in bytes of the file.
    pub max_bytes: u64,
}

/// The file can't be used. It is left as it is.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("the journal {path} {reason}")]
pub struct OpenError {
    /// The file as it was named.
    path: String,
    /// What is wrong with it and what to do.
    reason: String,
}

impl OpenError {
    fn new(path: &Path, reason: impl Into<String>) -> Self {
        Self {
            path: path.display().to_string(),
            reason: reason.into(),
        }
    }

    fn sqlite(path: &Path, error: &rusqlite::Error) -> Self {
        Self::new(path, format!("can't be opened: {error}"))
    }
}

/// What the writer and the journal's users share.
#[derive(Debug)]
struct Shared {
    /// The oldest kept place.
    first: AtomicU64,
    /// The newest.
    last: AtomicU64,
    /// How far the live stream has read: nothing newer is trimmed.
    released: AtomicU64,
    /// The place of the newest checkpoint: the state is rebuilt from there, so nothing newer is trimmed.
    checkpoint: AtomicU64,
    /// The newest records.
    tail: Tail,
    /// Why nothing can be written now, if it can't.
    trouble: Mutex<Option<String>>,
    /// Wakes the hub.
    grown: watch::Sender<Seq>,
}

impl Shared {
    fn set_trouble(&self, trouble: Option<String>) {
        *self.trouble.lock().unwrap_or_else(PoisonError::into_inner) = trouble;
    }
}

/// A [`Journal`] in a file.
#[derive(Debug)]
pub struct SqliteJournal {
    /// The way to the one thread that writes.
    jobs: mpsc::Sender<Job>,
    /// What the writer tells without being asked.
    shared: Arc<Shared>,
    /// A connection of its own: reading waits for no write.
    reader: Arc<Reader>,
    /// Kept in the file: cursors outlive the process.
    epoch: Epoch,
    /// Waited for at the end, so that the file is closed properly.
    writer: Mutex<Option<std::thread::JoinHandle<()>>>,
    /// Keeps a second server out; let go of when the file is closed.
    _lock: std::fs::File,
}

impl SqliteJournal {
    /// Opens the file, or makes it.
    ///
    /// # Errors
    /// The file is damaged, of another program, of a newer version, in use, or can't be written. It is not touched then.
    pub fn open(options: &SqliteOptions) -> Result<Self, OpenError> {
        let path = &options.path;
        let lock = file::claim(path)?;
        let connection = schema::open(path, options.durability)?;
        let (epoch, bounds, checkpoint) = schema::read(path, &connection)?;
        let shared = Arc::new(Shared {
            first: AtomicU64::new(bounds.first),
            last: AtomicU64::new(bounds.last),
            released: AtomicU64::new(0),
            checkpoint: AtomicU64::new(checkpoint),
            tail: Tail::new(bounds.last),
            trouble: Mutex::new(None),
            grown: watch::channel(bounds.last).0,
        });
        let reader = Arc::new(Reader::open(path).map_err(|e| OpenError::sqlite(path, &e))?);
        let (jobs, queue) = mpsc::channel();
        let writer = Writer::new(connection, shared.clone(), options);
        let writer = std::thread::Builder::new()
            .name("stoa-journal".into())
            .spawn(move || writer.run(&queue))
            .map_err(|e| OpenError::new(path, format!("can't be written: {e}")))?;
        Ok(Self {
            jobs,
            shared,
            reader,
            epoch,
            writer: Mutex::new(Some(writer)),
            _lock: lock,
        })
    }

    async fn send<T>(
        &self,
        job: Job,
        reply: oneshot::Receiver<Result<T, JournalError>>,
    ) -> Result<T, JournalError> {
        let gone = || JournalError("the server is going down".into());
        self.jobs.send(job).map_err(|_| gone())?;
        reply.await.map_err(|_| gone())?
    }
}

impl Journal for SqliteJournal {
    fn epoch(&self) -> Epoch {
        self.epoch
    }

    fn append(&self, events: Vec<Event>) -> BoxFuture<'_, Result<Vec<Outcome>, JournalError>> {
        let accepted = Instant::now();
        // Written as text here, where as many threads do it as there are doors.
        let events = events
            .into_iter()
            .map(|event| (event.to_stored(), Arc::new(event)))
            .collect();
        let (reply, answer) = oneshot::channel();
        let append = Append {
            events,
            accepted,
            reply,
        };
        Box::pin(self.send(Job::Append(append), answer))
    }

    fn read(
        &self,
        after: Seq,
        limit: usize,
    ) -> BoxFuture<'_, Result<Vec<Arc<Record>>, JournalError>> {
        // What was trimmed may still be at hand.
        let after = after.max(self.bounds().first.saturating_sub(1));
        if let Some(records) = self.shared.tail.read(after, limit) {
            return Box::pin(futures_util::future::ready(Ok(records)));
        }
        let reader = self.reader.clone();
        Box::pin(async move {
            let read = tokio::task::spawn_blocking(move || reader.read(after, limit));
            read.await
                .unwrap_or_else(|_| Err(JournalError("reading was interrupted".into())))
        })
    }

    fn release(&self, read: Seq) {
        self.shared.released.store(read, Ordering::Release);
        self.shared.tail.release(read);
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

    fn trouble(&self) -> Option<String> {
        let trouble = &self.shared.trouble;
        trouble
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    fn close(&self) {
        self.jobs.send(Job::Stop).ok();
        let mut writer = self.writer.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(writer) = writer.take() {
            writer.join().ok();
        }
    }

    fn keeps_checkpoints(&self) -> bool {
        true
    }

    fn save_checkpoint(&self, seq: Seq, state: String) -> BoxFuture<'_, Result<(), JournalError>> {
        let (reply, answer) = oneshot::channel();
        Box::pin(self.send(Job::Checkpoint { seq, state, reply }, answer))
    }

    fn load_checkpoint(&self) -> BoxFuture<'_, Result<Option<(Seq, String)>, JournalError>> {
        let reader = self.reader.clone();
        Box::pin(async move {
            let read = tokio::task::spawn_blocking(move || reader.checkpoint());
            read.await
                .unwrap_or_else(|_| Err(JournalError("reading was interrupted".into())))
        })
    }
}

impl Drop for SqliteJournal {
    fn drop(&mut self) {
        self.close();
    }
}

/// How long a connection waits for another one of this process.
const BUSY: Duration = Duration::from_secs(10);
