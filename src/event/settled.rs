//! The facts that are settled of an event when it is accepted, and kept with it for good.
//!
//! An id alone names nothing: a thing is (project, kind, id). When an event is accepted the ledger (`crate::ledger`)
//! says which project the event belongs to (its `project_id`), in which project each thing that it names is at home
//! (`Event::home`), who owns these things ([`Settled::owners`]), and who published it. Later readers compare these
//! fields and look nothing up, and no later event changes them.
//!
//! - **Event with a project, unlimited producer.** Each thing is the project's own of that id. An agent that is known
//!   without a project is shared: it is the same agent in every project, and its home is none. Anything else that was known
//!   without a project moves into this one ([`Settled::adopts`]).
//! - **Event without a project, unlimited producer.** It belongs to the one project in which its task, run, execution,
//!   job or workflow is known. If that is none, it has no project; if that is several, `candidates` names them. An
//!   agent alone tells no project: facts about it without a project are for everybody. A `project.*` event may name its
//!   project by its board or its name; a name that several projects have makes them the candidates, too.
//! - **Producer whose token names projects** (`confined`): the event has one of these projects, all things are that
//!   project's own, and a client that can't see the project sees nothing of the event.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use smallvec::SmallVec;

use super::thing::ThingKind;

/// Facts about an event that its producer can't choose.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Settled {
    /// The verified identity of its publisher: `user:{sub}`, `key:{token}`, or empty when nobody was asked for one.
    #[serde(skip_serializing_if = "str::is_empty")]
    pub producer: Arc<str>,
    /// Whether the producer's token names projects: its word counts only within the event's project.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub confined: bool,
    /// The owners of the things that the event names.
    #[serde(skip_serializing_if = "SmallVec::is_empty")]
    pub owners: SmallVec<[Owned; 1]>,
    /// Kinds whose thing had no project before this event, and is from now on at home in the event's project.
    #[serde(skip_serializing_if = "Kinds::is_empty")]
    pub adopted: Kinds,
    /// Kinds whose thing has no project, though the event has one: an agent that all projects share.
    #[serde(skip_serializing_if = "Kinds::is_empty")]
    pub shared: Kinds,
    /// Kinds whose thing may be at home in one of the `candidates`: the event doesn't say in which project it is. With the
    /// project among them the event is of one of these itself.
    #[serde(skip_serializing_if = "Kinds::is_empty")]
    pub uncertain: Kinds,
    /// The session of its run, where an earlier event named it and this one names none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub session: Option<Arc<str>>,
    /// The projects that these things may belong to.
    #[serde(skip_serializing_if = "Candidates::is_none")]
    pub candidates: Candidates,
}

/// An owner, and the kinds of the event's things that it owns.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Owned {
    /// The user.
    pub owner: Arc<str>,
    /// The kinds of the things.
    pub kinds: Kinds,
}

/// The projects that things may belong to which an event names without one.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Candidates {
    /// None: no thing of the event was known in a project.
    #[default]
    None,
    /// One of these: only clients that see all of them see the event.
    These(Box<[Arc<str>]>),
    /// Any: there are too many, or they were forgotten.
    Unknown,
}

impl Candidates {
    /// Whether it belongs to no project for certain.
    pub fn is_none(&self) -> bool {
        *self == Self::None
    }
}

/// A set of kinds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Kinds(u16);

impl Kinds {
    /// Whether the set is empty.
    pub fn is_empty(&self) -> bool {
        self.0 == 0
    }

    /// Whether `kind` is in the set.
    pub fn contains(self, kind: ThingKind) -> bool {
        self.0 & (1 << kind as u16) != 0
    }

    /// Adds a kind.
    pub fn insert(&mut self, kind: ThingKind) {
        self.0 |= 1 << kind as u16;
    }
}

impl FromIterator<ThingKind> for Kinds {
    fn from_iter<I: IntoIterator<Item = ThingKind>>(kinds: I) -> Self {
        let mut set = Self::default();
        kinds.into_iter().for_each(|kind| set.insert(kind));
        set
    }
}

impl Settled {
    /// The owner of the thing of this kind.
    #[cfg(test)]
    pub(crate) fn owner_of(&self, kind: ThingKind) -> Option<&str> {
        let owned = self.owners.iter().find(|owned| owned.kinds.contains(kind));
        owned.map(|owned| &*owned.owner)
    }

    /// Whether the thing of this kind was known without a project until this event, which brings it into its own.
    pub fn adopts(&self, kind: ThingKind) -> bool {
        self.adopted.contains(kind)
    }
}
