//! The journal: keeps every accepted event, in the one order that everything behind it follows.
//!
//! The journal is the bus. Doors append to it and answer their producers when it has the events; the hub reads
//! from it and from nowhere else, so what is delivered is always what was kept. There are two kinds, [`SqliteJournal`] in a
//! file and [`MemoryJournal`]; the same behaviour tests (`tests.rs` here) run against both.

mod entry;
mod epoch;
mod flow;
mod memory;
mod record;
mod sqlite;
#[cfg(test)]
mod tests;

use std::fmt;

use futures_util::future::{BoxFuture, ready};
use tokio::sync::watch;

use crate::{error::Error, event::Event, observe::JournalMetrics};

pub use entry::{Batch, Draft, Entry, READ_BYTES};
pub use epoch::Epoch;
pub use flow::FlowId;
pub use memory::{MemoryJournal, Retention};
pub use record::{Record, Seq};
pub use sqlite::{
    Durability, HeldBytes, OpenError, Repaired, SqliteJournal, SqliteOptions, repair,
};

/// What became of one appended event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// Kept at this place.
    Stored(Seq),
    /// The same event of the same producer was there already, at this place; nothing was kept.
    Duplicate(Seq),
    /// Its producer had used its id for another event; it is kept at this place under an id of its own.
    Conflict(Seq),
}

impl Outcome {
    /// The place of the event, whether it is new or was there.
    pub fn seq(self) -> Seq {
        match self {
            Self::Stored(seq) | Self::Duplicate(seq) | Self::Conflict(seq) => seq,
        }
    }
}

/// Which places the journal still holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bounds {
    /// The oldest kept place; `last + 1` when it is empty.
    pub first: Seq,
    /// The newest place, 0 before the first event.
    pub last: Seq,
}

/// The journal can't do its work now.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum JournalError {
    /// It can't be used.
    #[error("the journal can't be used now: {0}")]
    Unavailable(String),
    /// More waits to be kept than may wait.
    #[error(
        "more events wait to be written than may wait ([journal] queue_bytes; in memory, memory_bytes); publish these again later"
    )]
    Overloaded,
}

impl From<JournalError> for Error {
    fn from(error: JournalError) -> Self {
        match error {
            JournalError::Overloaded => Self::new("overloaded", error.to_string()),
            JournalError::Unavailable(_) => Self::unavailable(error.to_string()),
        }
    }
}

/// The health of a journal.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Health {
    /// Why nothing can be kept now, if nothing can.
    pub trouble: Option<String>,
    /// Events that can't be read and are passed over.
    pub damaged: u64,
}

/// A journal kind. All methods may be called from any task.
pub trait Journal: fmt::Debug + Send + Sync + 'static {
    /// The epoch of the cursors that are made now: tells their places from those of another journal, and from what this one
    /// has lost.
    fn epoch(&self) -> Epoch;

    /// The epoch that names this place, the same after a restart: a cursor says the same of the same event for ever.
    fn epoch_at(&self, _seq: Seq) -> Epoch {
        self.epoch()
    }

    /// The newest place that a cursor of this epoch can name; `None` for an epoch of another journal. What such a cursor
    /// says of places up to there is true of this journal, and beyond it of none that there still is.
    fn newest_of(&self, epoch: Epoch) -> Option<Seq> {
        (epoch == self.epoch()).then(|| self.bounds().last)
    }

    /// Keeps `entries` in this order and answers when they can no longer be lost. Their place in the order is that of the
    /// call, not of the answer. An event that is there already (from before, or earlier in the same call: by its producer
    /// and its id) is not kept twice; other content under that id is kept under another id, [`Entry::renamed`]. Whoever drops
    /// the answer before it is there doesn't need them kept.
    ///
    /// # Errors
    /// When they could not be kept; then none of them was.
    fn append_entries(
        &self,
        entries: Vec<Entry>,
    ) -> BoxFuture<'_, Result<Vec<Outcome>, JournalError>>;

    /// The same for events.
    ///
    /// # Errors
    /// As [`Journal::append_entries`].
    fn append(&self, events: Vec<Event>) -> BoxFuture<'_, Result<Vec<Outcome>, JournalError>> {
        self.append_entries(events.into_iter().map(Entry::new).collect())
    }

    /// Up to `limit` records after `after`, in order, and no more than hold [`READ_BYTES`]. What is no longer kept is passed
    /// over (compare with [`Journal::bounds`]), and so is what is damaged.
    ///
    /// # Errors
    /// When the journal can't be read now.
    fn read(&self, after: Seq, limit: usize) -> BoxFuture<'_, Result<Batch, JournalError>>;

    /// The live stream has everything up to here: nothing newer may be trimmed, whatever the retention says.
    fn release(&self, read: Seq);

    /// What is kept now.
    fn bounds(&self) -> Bounds;

    /// Tells of growth: holds the newest place.
    fn watch(&self) -> watch::Receiver<Seq>;

    /// Resolves when the journal can't write any more, ever: it was closed, or the thread that writes is gone.
    fn ended(&self) -> BoxFuture<'static, ()> {
        Box::pin(std::future::pending())
    }

    /// Its health.
    fn health(&self) -> Health {
        Health::default()
    }
    /// Events that were taken and are not yet kept.
    fn waiting(&self) -> u64 {
        0
    }
    /// Its counters.
    fn metrics(&self) -> JournalMetrics;

    /// Keeps what was begun and lets go of what it holds. Waits for the disk; nothing can be kept afterwards.
    fn close(&self) {}

    /// Whether it keeps states beside the events.
    fn keeps_checkpoints(&self) -> bool {
        false
    }

    /// Keeps the state that the events up to `seq` give, so that a start needn't fold them again: its last part, after those
    /// that [`Journal::save_checkpoint_part`] was given.
    ///
    /// # Errors
    /// When it can't be kept now.
    fn save_checkpoint(&self, _seq: Seq, _last: String) -> BoxFuture<'_, Result<(), JournalError>> {
        Box::pin(ready(Ok(())))
    }

    /// Keeps a part of such a state, from 0 on, beforehand. Parts that no last one follows are let go of later.
    ///
    /// # Errors
    /// When it can't be kept now.
    fn save_checkpoint_part(
        &self,
        _seq: Seq,
        _part: u32,
        _text: String,
    ) -> BoxFuture<'_, Result<(), JournalError>> {
        Box::pin(ready(Ok(())))
    }

    /// This part of the newest state that is kept, from 0 on; none behind the last.
    ///
    /// # Errors
    /// When the journal can't be read now.
    fn load_checkpoint(
        &self,
        _part: u32,
    ) -> BoxFuture<'_, Result<Option<(Seq, String)>, JournalError>> {
        Box::pin(ready(Ok(None)))
    }
}
