//! What goes out: the updates that an event gives, planned on arrival and rendered when they are sent.
//!
//! Planning is cheap and happens once for each event ([`Planned`]: which updates, how urgent, by which key they are
//! coalesced, who may see them). Rendering writes the JSON once, when the pacer lets the update go, and
//! every observer gets the same bytes.

mod animation;
mod bodies;
mod facts;
mod harmless;
mod kind;
pub mod merge;
mod render;
mod rooms;
mod rules;
mod status;
mod table;
mod template;
#[cfg(test)]
mod tests;

use std::{sync::Arc, time::Duration};

use crate::{
    event::{Object, Priority, Timestamp},
    journal::Bits,
};

pub use animation::{Animation, Hint};
pub(crate) use bodies::{execution_progress, project_progress, status_in};
pub use harmless::harmless;
pub(crate) use harmless::{harmless_object, made_harmless};
pub use kind::Kind;
pub use render::render;
pub use rooms::{entities, event_rooms, rooms_hash};
pub use rules::{MAX_WINDOW_MS, Rule, RuleConfig, RuleError};
pub(crate) use status::{blocker, run_status, task_status};
pub use table::{MAX_RULES_PER_EVENT, Table, TransformOptions};

/// The Socket.IO namespace on which an update is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Namespace {
    /// `/`: the contract's updates.
    Root,
    /// `/conversations`: Seneca's conversation page.
    Conversations,
    /// `/admin`: operators.
    Admin,
}

impl Namespace {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Root, Self::Conversations, Self::Admin];

    /// The path on the wire.
    pub fn path(self) -> &'static str {
        match self {
            Self::Root => "/",
            Self::Conversations => "/conversations",
            Self::Admin => "/admin",
        }
    }

    /// The one at a path; the root's may be left out.
    pub fn at(path: &str) -> Option<Self> {
        match path {
            "" => Some(Self::Root),
            path => Self::ALL.into_iter().find(|n| n.path() == path),
        }
    }
}

/// One of Seneca's subscriptions: updates that only its pages know go to those who asked for them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Topic {
    /// `subscribe_conversations` on `/`.
    Conversations,
    /// `subscribe_health_updates`.
    Health,
    /// `subscribe_pipeline_flow`.
    Pipeline,
    /// `subscribe_metrics`.
    Metrics,
    /// `subscribe` on `/conversations`.
    ConversationPage,
}

/// Which topics somebody listens to now: what nobody listens to is not even planned.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Listening(u8);

impl Listening {
    /// Nobody listens to any topic.
    pub const NONE: Self = Self(0);
    /// Every topic is listened to.
    pub const ALL: Self = Self(u8::MAX);

    /// As a number, for where it must be written down.
    pub fn bits(self) -> u8 {
        self.0
    }

    /// What [`Listening::bits`] stands for.
    pub fn of_bits(bits: u8) -> Self {
        Self(bits)
    }

    /// The same with `topic` listened to.
    #[must_use]
    pub fn with(self, topic: Topic) -> Self {
        Self(self.0 | 1 << topic as u8)
    }

    /// The same without `topic`.
    #[must_use]
    pub fn without(self, topic: Topic) -> Self {
        Self(self.0 & !(1 << topic as u8))
    }

    /// Whether somebody listens to `topic`.
    pub fn to(self, topic: Topic) -> bool {
        self.0 & (1 << topic as u8) != 0
    }
}

/// The clients that may see an update.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Audience {
    /// The rooms of the event: `observers` and `{kind}:{id}` for each id that it names.
    EventRooms,
    /// Only these rooms (a rule said so).
    Rooms(Arc<[String]>),
    /// The subscribers of one of Seneca's topics.
    Topic(Topic),
}

/// By what an update is coalesced. Two updates with equal keys replace each other within a window.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Key(pub Arc<str>);

/// What becomes of the earlier update when a later one of the same key takes its place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Merge {
    /// Top-level keys of `data` are united, the later value wins: no field is lost.
    Fields,
    /// As `Fields`, and `data.changes` is united in the same way (visual updates).
    Changes,
    /// The later one says it all (`complete_refresh`).
    Replace,
    /// The text deltas are joined in order.
    Text,
}

/// When an update may go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Pace {
    /// At once, never coalesced: starts, ends, failures, decisions, assignments, anything critical.
    Immediate,
    /// The first at once, those that follow within the window united into one at its end.
    Coalesced {
        /// Which updates belong together.
        key: Key,
        /// How long they are held.
        window: Duration,
        /// How they are united.
        merge: Merge,
    },
}

/// One update that an event gives.
#[derive(Debug, Clone)]
pub struct Planned {
    /// Which of its event's updates it is. It never depends on who listens, for cursors name updates by it.
    pub bit: Bits,
    /// What to write: see `render`.
    pub kind: Kind,
    /// How urgent.
    pub priority: Priority,
    /// When.
    pub pace: Pace,
    /// To whom.
    pub audience: Audience,
}

/// What is only known when an update is sent.
#[derive(Debug, Clone, Copy)]
pub struct Stamp<'a> {
    /// The cursor to resume after this update.
    pub cursor: &'a str,
    /// How many events are united in it; written as `coalesced` when more than one.
    pub coalesced: u32,
    /// The united `data`, when events were united; else the event's own is written.
    pub merged: Option<&'a Object>,
    /// The time of the first of several that are united.
    pub since: Option<Timestamp>,
}
