//! The unit of pacing: one update, with all the events that are coalesced in it.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use smallvec::SmallVec;

use crate::{
    event::{Event, Object, Priority},
    journal::{PublishedBy, Record, Seq},
    timestamp::Timestamp,
    update::{Bits, Coalescing, Key, Planned, Timing, UpdateId, rooms_hash, sum_entities},
};

/// An update of one event, or of several once coalesced.
#[derive(Debug)]
pub struct PendingUpdate {
    /// The event; the last one when several were coalesced.
    pub record: Arc<Record>,
    /// All events in it, ascending, each with the bit that is unsent until this is sent.
    pub unsent: SmallVec<[(Seq, Bits); 2]>,
    /// The highest priority among the coalesced updates.
    pub priority: Priority,
    /// The sender, whose turn it takes: that of the last event when several were coalesced, with its connection only
    /// if all of them came by it.
    pub by: PublishedBy,
    /// The update as it was planned.
    pub update: Planned,
    /// Hashes of the entities that it names: updates of one entity stay in order.
    pub entities: SmallVec<[u64; 4]>,
    /// A hash of the rooms: only updates for the same ones are coalesced.
    pub rooms: u64,
    /// The coalesced data, when it isn't just the last event's.
    pub data: Option<Object>,
    /// The time of the first event, when several are coalesced.
    pub since: Option<Timestamp>,
    /// The time at which its first event was accepted: the delivery budgets are measured from it.
    pub accepted: Instant,
    /// Its window; an update without one goes at once.
    pub window: Option<Window>,
    /// About how many bytes of text it has, for the bounds of segments.
    pub weight: usize,
    /// About how many bytes of memory it holds, for the bounds in memory.
    pub held: usize,
}

/// The way in which an update is coalesced.
#[derive(Debug, Clone)]
pub struct Window {
    /// The key by which updates are coalesced.
    pub key: Key,
    /// The time for which updates are held.
    pub length: Duration,
    /// The way in which two become one.
    pub how: Coalescing,
}

impl PendingUpdate {
    /// The place of its last event.
    pub fn last(&self) -> Seq {
        self.record.seq
    }

    /// The id that names and orders it among all updates of the stream.
    pub fn mark(&self) -> UpdateId {
        (self.last(), self.update.bit)
    }

    /// The number of events in it.
    pub fn coalesced(&self) -> u32 {
        u32::try_from(self.unsent.len()).unwrap_or(u32::MAX)
    }
}

/// The record of a sum: its event in the place of the published one.
fn of_sum(record: &Record, event: Arc<Event>) -> Arc<Record> {
    /// About how long the text of a sum is, with one model.
    const TEXT: usize = 500;
    Arc::new(Record {
        seq: record.seq,
        weight: TEXT,
        held: event.held(),
        event,
        accepted: record.accepted,
        by: record.by,
    })
}

/// Makes a group of each planned update of an event.
pub fn group<'a>(
    record: &'a Arc<Record>,
    planned: SmallVec<[Planned; 4]>,
    entities: &'a SmallVec<[u64; 4]>,
    rooms: u64,
) -> impl Iterator<Item = PendingUpdate> + use<'a> {
    planned.into_iter().map(move |mut update| {
        let own = update.event.take().map(|event| of_sum(record, event));
        let window = match std::mem::replace(&mut update.timing, Timing::Immediate) {
            Timing::Immediate => None,
            Timing::Coalesced { key, window, how } => Some(Window {
                key,
                length: window,
                how,
            }),
        };
        let (record, entities, rooms) = match &own {
            Some(sum) => (sum, sum_entities(&sum.event), rooms_hash(&sum.event)),
            None => (record, entities.clone(), rooms),
        };
        PendingUpdate {
            record: record.clone(),
            unsent: SmallVec::from_slice(&[(record.seq, update.bit)]),
            priority: update.priority,
            by: record.by,
            update,
            entities,
            rooms,
            data: None,
            since: None,
            accepted: record.accepted,
            window,
            weight: record.weight,
            held: record.held,
        }
    })
}
