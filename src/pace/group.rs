//! The unit of pacing: those updates of one event that share a fate.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use smallvec::SmallVec;

use crate::{
    event::{Object, Priority},
    journal::{Record, Seq},
    update::{Key, Merge, Pace, Planned},
};

/// Updates of one event (or of several, once united) that are sent in one go.
#[derive(Debug)]
pub struct Group {
    /// The event, the last one when several were united.
    pub record: Arc<Record>,
    /// All the events in it, ascending, each with the bit by which it owes this group until it is sent.
    pub owes: SmallVec<[(Seq, u8); 2]>,
    /// The most urgent of its updates'.
    pub priority: Priority,
    /// What is sent, in order; only the last one carries the cursor after the event.
    pub updates: SmallVec<[Planned; 2]>,
    /// What must stay in order: hashes of the entities named.
    pub entities: SmallVec<[u64; 4]>,
    /// Stands for the rooms: only updates for the same ones are united.
    pub rooms: u64,
    /// The united data, when it isn't just the last event's.
    pub merged: Option<Object>,
    /// When the first of its events was accepted: what the budgets are measured from.
    pub accepted: Instant,
    /// Its window; `None` goes at once.
    pub window: Option<Window>,
    /// About how many bytes it keeps, for those who must not gather too much.
    pub weight: usize,
}

/// How a group is coalesced.
#[derive(Debug, Clone)]
pub struct Window {
    /// By what.
    pub key: Key,
    /// For how long.
    pub length: Duration,
    /// How two become one.
    pub merge: Merge,
}

impl Group {
    /// The place of its last event.
    pub fn last(&self) -> Seq {
        self.record.seq
    }

    /// Names it among all groups of the stream and orders them: the place of its last event, and which of that event's
    /// groups it is.
    pub fn mark(&self) -> (Seq, u8) {
        let bit = self.owes.last().map_or(0, |(_, bit)| *bit);
        (self.last(), bit)
    }

    /// How many events are united in it.
    pub fn coalesced(&self) -> u32 {
        u32::try_from(self.owes.len()).unwrap_or(u32::MAX)
    }
}

/// The bits of an owed mask, less the one for what goes at once; further keys share the last.
const MAX_KEYS: usize = 7;

/// Sorts the planned updates of an event into groups: all that go at once together, the others by key.
///
/// Cursors name groups by bit, so an event's bits must not depend on who listens: what goes at once is always
/// the first, and the keys follow in the table's order.
pub fn group(
    record: &Arc<Record>,
    planned: SmallVec<[Planned; 4]>,
    entities: &SmallVec<[u64; 4]>,
    rooms: u64,
) -> SmallVec<[Group; 2]> {
    let mut groups = SmallVec::<[Group; 2]>::new();
    let mut keys = 0;
    for update in planned {
        let window = match &update.pace {
            Pace::Immediate => None,
            Pace::Coalesced { key, window, merge } => Some(Window {
                key: key.clone(),
                length: *window,
                merge: *merge,
            }),
        };
        let key = window.as_ref().map(|w| &w.key);
        let at = groups
            .iter()
            .position(|g| g.window.as_ref().map(|w| &w.key) == key)
            .or((keys == MAX_KEYS && key.is_some()).then(|| groups.len() - 1));
        if let Some(group) = at.and_then(|at| groups.get_mut(at)) {
            group.priority = group.priority.min(update.priority);
            group.updates.push(update);
            continue;
        }
        let bit = if window.is_some() {
            keys += 1;
            1 << keys
        } else {
            1
        };
        groups.push(Group {
            record: record.clone(),
            owes: SmallVec::from_slice(&[(record.seq, bit)]),
            priority: update.priority,
            updates: SmallVec::from_iter([update]),
            entities: entities.clone(),
            rooms,
            merged: None,
            accepted: record.accepted,
            window,
            weight: record.weight,
        });
    }
    groups
}
