//! The plan of an event's updates: their kinds, urgency, coalescing and destination.

use std::{sync::Arc, time::Duration};

use super::kind::UpdateKind;
use crate::{
    channel::Topic,
    event::{Event, Object, Priority},
    journal::Seq,
    timestamp::Timestamp,
};

/// A set of an event's updates: a bit for each.
pub type Bits = u32;

/// Names an update of the stream and orders it among all others: the place of its event (of the last one, where several are
/// coalesced), and its bit.
pub type UpdateId = (Seq, Bits);

/// The rooms or the topic that an update goes to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Destination {
    /// The rooms of the event: `observers` and `{kind}:{id}` for each id that it names.
    EventRooms,
    /// Only these rooms, because a rule says so.
    Rooms(Arc<[String]>),
    /// The rooms of the emission that the event is.
    Addressed,
    /// The subscribers of one of Seneca's topics.
    Topic(Topic),
}

/// The key by which an update is coalesced. Two updates with equal keys replace each other within a window.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Key(pub Arc<str>);

/// The fate of the earlier update when a later one of the same key takes its place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Coalescing {
    /// Top-level keys of `data` are coalesced, the later value wins: no field is lost.
    Fields,
    /// As `Fields`, for forms of a plan of which the later one has all items of the earlier one.
    Items,
    /// As `Fields`, and `data.changes` is coalesced in the same way (visual updates).
    Changes,
    /// The later one replaces it (`complete_refresh`).
    Replace,
    /// The text deltas of one role are joined in order.
    Text,
    /// The later model call is told, with a list of how each of the agent's calls stands.
    Calls,
    /// Sums are added up.
    Sums,
}

/// The timing of an update.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Timing {
    /// At once, never coalesced: starts, ends, failures, decisions, assignments, anything critical.
    Immediate,
    /// The first goes at once; later ones within the window are coalesced into one at its end.
    Coalesced {
        /// Updates with equal keys are coalesced.
        key: Key,
        /// The time that they are held.
        window: Duration,
        /// The way they are coalesced.
        how: Coalescing,
    },
}

/// One update that an event gives.
#[derive(Debug, Clone)]
pub struct Planned {
    /// Its bit among its event's updates. It never depends on who listens, because cursors name updates by it.
    pub bit: Bits,
    /// The kind of text: see `render`.
    pub kind: UpdateKind,
    /// Its urgency.
    pub priority: Priority,
    /// Whether it goes at once or is coalesced.
    pub timing: Timing,
    /// The rooms or the topic that it goes to.
    pub destination: Destination,
    /// The event that it is judged by and written from, where that is not the one that was published: a sum names only
    /// what decides who may see it.
    pub event: Option<Arc<Event>>,
}

/// The fields of an update that are known only when it is sent.
#[derive(Debug, Clone, Copy)]
pub struct Envelope<'a> {
    /// The cursor to resume after this update.
    pub cursor: &'a str,
    /// The number of events in it; written as `coalesced` when more than one.
    pub coalesced: u32,
    /// The coalesced `data`, when events were coalesced; else the event's own is written.
    pub data: Option<&'a Object>,
    /// The time of the first event, when several are coalesced.
    pub since: Option<Timestamp>,
}
