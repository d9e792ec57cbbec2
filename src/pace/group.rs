//! The unit of pacing: one update, with all the events that are coalesced in it.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use smallvec::SmallVec;

use crate::{
    event::{Object, Priority},
    journal::{FlowId, Record, Seq},
    timestamp::Timestamp,
    update::{Bits, Coalescing, Key, Planned, Timing, UpdateId},
};

/// An update of one event, or of several once coalesced.
#[derive(Debug)]
pub struct PendingUpdate {
    /// The event, the last one when several were coalesced.
    pub record: Arc<Record>,
    /// All the events in it, ascending, each with the bit that stands for this until it is sent.
    pub unsent: SmallVec<[(Seq, Bits); 2]>,
    /// The most urgent of those that are coalesced.
    pub priority: Priority,
    /// Stands for its producer, whose turn it takes; the last one when several were coalesced.
    pub flow: FlowId,
    /// What is sent.
    pub update: Planned,
    /// What must stay in order: hashes of the entities named.
    pub entities: SmallVec<[u64; 4]>,
    /// Stands for the rooms: only updates for the same ones are coalesced.
    pub rooms: u64,
    /// The coalesced data, when it isn't just the last event's.
    pub data: Option<Object>,
    /// The time of the first of several that are coalesced.
    pub since: Option<Timestamp>,
    /// When the first of its events was accepted: what the budgets are measured from.
    pub accepted: Instant,
    /// Its window; `None` goes at once.
    pub window: Option<Window>,
    /// About how many bytes of text it has, for those who must not gather too much.
    pub weight: usize,
    /// About how many bytes of memory it holds, for those who must not hold too much.
    pub held: usize,
}

/// How a group is coalesced.
#[derive(Debug, Clone)]
pub struct Window {
    /// By what.
    pub key: Key,
    /// For how long.
    pub length: Duration,
    /// How two become one.
    pub how: Coalescing,
}

impl PendingUpdate {
    /// The place of its last event.
    pub fn last(&self) -> Seq {
        self.record.seq
    }

    /// Names it among all groups of the stream and orders them.
    pub fn mark(&self) -> UpdateId {
        (self.last(), self.update.bit)
    }

    /// The number of events in it.
    pub fn coalesced(&self) -> u32 {
        u32::try_from(self.unsent.len()).unwrap_or(u32::MAX)
    }
}

/// Makes a group of each planned update of an event.
pub fn group<'a>(
    record: &'a Arc<Record>,
    planned: SmallVec<[Planned; 4]>,
    entities: &'a SmallVec<[u64; 4]>,
    rooms: u64,
) -> impl Iterator<Item = PendingUpdate> + use<'a> {
    planned.into_iter().map(move |mut update| {
        let window = match std::mem::replace(&mut update.timing, Timing::Immediate) {
            Timing::Immediate => None,
            Timing::Coalesced { key, window, how } => Some(Window {
                key,
                length: window,
                how,
            }),
        };
        PendingUpdate {
            record: record.clone(),
            unsent: SmallVec::from_slice(&[(record.seq, update.bit)]),
            priority: update.priority,
            flow: record.flow,
            update,
            entities: entities.clone(),
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
