//! The journal: keeps every accepted event, in the one order that all later steps follow.
//!
//! The journal is the bus. Doors append to it and answer their producers when it has the events; the hub reads from it
//! and from nowhere else, so it delivers only kept events. There are three kinds, [`SqliteJournal`] in a file,
//! [`RedisJournal`] for several nodes and [`MemoryJournal`]; the same behaviour tests (`tests.rs` here) run against all.

mod entry;
mod epoch;
mod flow;
mod generations;
mod memory;
mod queue;
mod record;
mod redis;
mod sqlite;
mod tail;
#[cfg(test)]
mod tests;

use std::fmt;

use futures_util::future::{BoxFuture, ready};
use tokio::sync::watch;

use crate::{error::Error, event::Event, observe::JournalMetrics};

pub use entry::{Batch, Draft, Entry, READ_BYTES};
pub use epoch::Epoch;
pub use flow::{FlowId, PublishedBy};
pub use memory::{MemoryJournal, Retention};
pub use record::{Record, Seq};
pub use redis::{Acks, RedisJournal, RedisOptions, Trial};
pub use sqlite::{
    Durability, HeldBytes, OpenError, Repaired, SqliteJournal, SqliteOptions, repair,
};

/// The result for one appended event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// Kept at this place.
    Stored(Seq),
    /// The same event of the same producer was there already, at this place; it was not kept again.
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

/// The answer to an append, as soon as it is there.
pub type Appending = BoxFuture<'static, Result<Vec<Outcome>, JournalError>>;

/// The places that the journal holds.
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
    /// The reason why it can't be used.
    #[error("the journal can't be used now: {0}")]
    Unavailable(String),
    /// The queue of events to be kept is full.
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
    /// The reason why no event can be kept now, if there is one.
    pub trouble: Option<String>,
    /// Damaged events, which are passed over.
    pub damaged: u64,
}

/// A saved state: its parts are loaded one by one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checkpoint {
    /// The last place that is in the state.
    pub seq: Seq,
    /// The name of its parts.
    pub(in crate::journal) key: std::sync::Arc<str>,
    /// The number of its parts, where it may be replaced while it is loaded.
    pub parts: Option<u32>,
}

/// The texts that a journal keeps beside the events.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeptText {
    /// Figures about the use of the server.
    Analytics,
    /// The places in the streams of the bus, where several nodes read them in turns.
    BusPositions,
}

impl KeptText {
    /// All of them.
    pub(crate) const ALL: [Self; 2] = [Self::Analytics, Self::BusPositions];

    /// Whether it is one for all nodes that share a journal; else each has its own.
    pub(in crate::journal) fn is_shared(self) -> bool {
        self == Self::BusPositions
    }

    /// The name in the file.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Analytics => "analytics",
            Self::BusPositions => "bus_positions",
        }
    }
}

/// A way from a lost place to the one at which its event was put back; none for one that was not.
pub type Way = Box<dyn Fn(Seq) -> Option<Seq>>;

/// A session that is kept under a name, in place of the one before; one without a text is let go of.
pub type SessionChange = (String, Option<String>);

/// A journal kind. All methods may be called from any task.
pub trait Journal: fmt::Debug + Send + Sync + 'static {
    /// The epoch of the cursors that are made now: it tells their places from those of another journal, and from places
    /// that this one has lost.
    fn epoch(&self) -> Epoch;

    /// The epoch that names this place. It is the same after a restart, so the cursor of an event never changes.
    fn epoch_at(&self, _seq: Seq) -> Epoch {
        self.epoch()
    }

    /// The newest place that a cursor of this epoch can name; `None` for an epoch of another journal. Such a cursor is
    /// right for places of this journal up to there; places beyond were lost.
    fn newest_of(&self, epoch: Epoch) -> Option<Seq> {
        (epoch == self.epoch()).then(|| self.bounds().last)
    }

    /// Keeps `entries` in this order and answers when they can no longer be lost. Their place in the order is that of
    /// the call, not of the answer. An event that is there already (by its producer and its id; also earlier in the
    /// same call) is not kept twice; other content under that id is kept under another id, [`Entry::renamed`]. A caller
    /// that drops the answer before it is there no longer needs the events kept.
    ///
    /// # Errors
    /// The journal could not keep them; then none of them was kept.
    fn append_entries(&self, entries: Vec<Entry>) -> Appending;

    /// Keeps events, as [`Journal::append_entries`] does.
    ///
    /// # Errors
    /// As [`Journal::append_entries`].
    fn append(&self, events: Vec<Event>) -> Appending {
        self.append_entries(events.into_iter().map(Entry::new).collect())
    }

    /// Up to `limit` records after `after`, in order, and no more than [`READ_BYTES`] of them. Trimmed records are
    /// passed over (compare with [`Journal::bounds`]), and so are damaged ones.
    ///
    /// # Errors
    /// The journal can't be read now.
    fn read(&self, after: Seq, limit: usize) -> BoxFuture<'_, Result<Batch, JournalError>>;

    /// Notes that the live stream has read everything up to here: nothing newer may be trimmed, whatever the retention.
    fn release(&self, read: Seq);

    /// The times that the stream went back, by [`Journal::rewind`]: newest places were lost, and others are there now.
    fn rewinds(&self) -> u64 {
        0
    }

    /// Whether newest places were lost and others are there now. Everything is told of the history that has ended until the
    /// live stream calls [`Journal::rewind`], so that nothing changes between two of its steps.
    fn is_rewound(&self) -> bool {
        false
    }

    /// Goes back: from now on everything is told of the history that goes on.
    fn rewind(&self) {}

    /// For an epoch whose newest places were lost, as far as this is remembered: the last place that is still the same, and
    /// the way from a lost place to the one at which its event was put back.
    fn lost(&self, _epoch: Epoch) -> Option<(Seq, Way)> {
        None
    }

    /// Waits until this node knows a place that another one may have told a moment ago; not for longer than a second.
    fn reach(&self, _epoch: Epoch, _seq: Seq) -> BoxFuture<'_, ()> {
        Box::pin(ready(()))
    }

    /// Whether other nodes append to it as well.
    fn is_shared(&self) -> bool {
        false
    }

    /// Whether this node does what one of all nodes does for all: checkpoints, trimming, the emitters' bus.
    fn leads(&self) -> bool {
        true
    }

    /// The places that are kept now.
    fn bounds(&self) -> Bounds;

    /// A watch of the newest place.
    fn watch(&self) -> watch::Receiver<Seq>;

    /// Resolves when the journal can never write again: it was closed, or its writer's thread is gone.
    fn ended(&self) -> BoxFuture<'static, ()> {
        Box::pin(std::future::pending())
    }

    /// The health of the journal.
    fn health(&self) -> Health {
        Health::default()
    }
    /// Events that were accepted and are not yet kept.
    fn waiting(&self) -> u64 {
        0
    }
    /// Its counters.
    fn metrics(&self) -> JournalMetrics;

    /// Writes the queue and closes the journal. Waits for the disk; no event can be kept afterwards.
    fn close(&self) {}

    /// Whether it can keep checkpoints of the state.
    fn keeps_checkpoints(&self) -> bool {
        false
    }

    /// Keeps the last part of a checkpoint: the state after the events up to a place, which a start need not fold again.
    /// The epoch is one that names the place: a state of events that were lost is of no use.
    /// The other parts come before, in their order, by [`Journal::save_checkpoint_part`].
    ///
    /// # Errors
    /// The journal can't keep it now.
    fn save_checkpoint(
        &self,
        _at: (Epoch, Seq),
        _last: String,
    ) -> BoxFuture<'_, Result<(), JournalError>> {
        Box::pin(ready(Ok(())))
    }

    /// Keeps a part of a checkpoint, from 0 on. Parts without a last one are deleted later.
    ///
    /// # Errors
    /// The journal can't keep it now.
    fn save_checkpoint_part(
        &self,
        _at: (Epoch, Seq),
        _part: u32,
        _text: String,
    ) -> BoxFuture<'_, Result<(), JournalError>> {
        Box::pin(ready(Ok(())))
    }

    /// Keeps a text under a name, in place of the one before. It belongs to no event, and no retention drops it.
    ///
    /// # Errors
    /// The journal can't keep it now.
    fn save_text(&self, _name: KeptText, _text: String) -> BoxFuture<'_, Result<(), JournalError>> {
        Box::pin(ready(Ok(())))
    }

    /// The text that is kept under a name, if there is one.
    ///
    /// # Errors
    /// The journal can't be read now.
    fn load_text(&self, _name: KeptText) -> BoxFuture<'_, Result<Option<String>, JournalError>> {
        Box::pin(ready(Ok(None)))
    }

    /// Keeps sessions, or lets go of them. A journal in memory keeps none. Answers the names of those that another node has
    /// claimed: they stay as they are.
    ///
    /// # Errors
    /// The journal can't keep them now.
    fn save_sessions(
        &self,
        _changes: Vec<SessionChange>,
    ) -> BoxFuture<'_, Result<Vec<String>, JournalError>> {
        Box::pin(ready(Ok(Vec::new())))
    }

    /// Takes a session over that another node kept: its text, if there is one.
    ///
    /// # Errors
    /// The journal can't be asked now.
    fn claim_session(&self, _name: String) -> BoxFuture<'_, Result<Option<String>, JournalError>> {
        Box::pin(ready(Ok(None)))
    }

    /// All sessions that this node keeps, by name.
    ///
    /// # Errors
    /// The journal can't be read now.
    fn load_sessions(&self) -> BoxFuture<'_, Result<Vec<(String, String)>, JournalError>> {
        Box::pin(ready(Ok(Vec::new())))
    }

    /// The newest checkpoint.
    ///
    /// # Errors
    /// The journal can't be read now.
    fn newest_checkpoint(&self) -> BoxFuture<'_, Result<Option<Checkpoint>, JournalError>> {
        Box::pin(ready(Ok(None)))
    }

    /// This part of a checkpoint, from 0 on; none after the last, or if a newer one has replaced it.
    ///
    /// # Errors
    /// The journal can't be read now.
    fn load_checkpoint(
        &self,
        _of: &Checkpoint,
        _part: u32,
    ) -> BoxFuture<'_, Result<Option<String>, JournalError>> {
        Box::pin(ready(Ok(None)))
    }
}
