//! Everything that decides who may see an event, as it was settled when the event was accepted.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use smallvec::SmallVec;

use crate::event::{Candidates, Event, Kinds, Owned, ThingKind};

/// The audience of an event, kept with everything that is made of the event (facts of the state).
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Audience {
    /// The event's project.
    #[serde(skip_serializing_if = "Option::is_none")]
    project: Option<Arc<str>>,
    /// Only clients that see the project may see the event.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    confined: bool,
    /// The owners of the things.
    #[serde(skip_serializing_if = "SmallVec::is_empty")]
    owners: SmallVec<[Owned; 1]>,
    /// Things that may be at home in one of several projects, with those projects.
    #[serde(skip_serializing_if = "Kinds::is_empty")]
    uncertain: Kinds,
    #[serde(skip_serializing_if = "Candidates::is_none")]
    candidates: Candidates,
    /// Things that have no project.
    #[serde(skip_serializing_if = "Kinds::is_empty")]
    shared: Kinds,
    /// The things whose kinds have a rule.
    #[serde(skip_serializing_if = "SmallVec::is_empty")]
    things: SmallVec<[(ThingKind, Box<str>); 1]>,
}

impl Audience {
    /// The audience of an event, as far as the things that `decides` names decide it.
    pub fn of(event: &Event, decides: impl Fn(ThingKind) -> bool) -> Self {
        let settled = &event.settled;
        let mut things = SmallVec::new();
        let mut uncertain = Kinds::default();
        event.things(&mut |kind, id| {
            if decides(kind) {
                things.push((kind, id.into()));
                if settled.uncertain.contains(kind) {
                    uncertain.insert(kind);
                }
            }
        });
        if settled.uncertain.contains(ThingKind::Project) && decides(ThingKind::Project) {
            uncertain.insert(ThingKind::Project);
        }
        let candidates = match uncertain.is_empty() {
            true => Candidates::None,
            false => settled.candidates.clone(),
        };
        Self {
            project: event.project_id.clone(),
            confined: settled.confined,
            owners: settled.owners.clone(),
            uncertain,
            candidates,
            shared: settled.shared,
            things,
        }
    }

    /// The same for what was said before events were settled, as far as it is known.
    pub fn carried(
        project: Option<Arc<str>>,
        things: SmallVec<[(ThingKind, Box<str>); 1]>,
        owners: SmallVec<[Owned; 1]>,
        (uncertain, candidates): (Kinds, Candidates),
    ) -> Self {
        Self {
            project,
            owners,
            uncertain,
            candidates,
            things,
            ..Self::default()
        }
    }

    /// The event's project.
    pub fn project(&self) -> Option<&str> {
        self.project.as_deref()
    }

    /// Whether nothing decides, so that everybody may see it.
    pub fn is_open(&self) -> bool {
        let uncertain = !self.uncertain.is_empty();
        self.project.is_none() && self.things.is_empty() && !self.confined && !uncertain
    }

    /// The bytes that the audience holds beside itself, estimated.
    pub fn held(&self) -> usize {
        const ALLOCATION: usize = 32;
        let text = |text: &str| text.len() + ALLOCATION;
        let project = self.project.as_deref().map_or(0, text);
        let things = self.things.iter().map(|(_, id)| text(id) + 16);
        let owners = self.owners.iter();
        let owners = owners.map(|owned| size_of::<Owned>() + text(&owned.owner));
        let candidates = match &self.candidates {
            Candidates::These(projects) => projects.iter().map(|project| 16 + text(project)).sum(),
            Candidates::None | Candidates::Unknown => 0,
        };
        project + things.sum::<usize>() + owners.sum::<usize>() + candidates
    }

    /// The things by which it is decided.
    pub fn named(&self) -> impl Iterator<Item = (ThingKind, &str)> {
        self.things()
    }

    /// Whether it is only for clients that see its project.
    pub fn is_confined(&self) -> bool {
        self.confined
    }

    pub(super) fn things(&self) -> impl Iterator<Item = (ThingKind, &str)> {
        self.things.iter().map(|(kind, id)| (*kind, &**id))
    }

    pub(super) fn context(&self) -> Context<'_> {
        Context {
            project: self.project.as_deref(),
            confined: self.confined,
            owners: &self.owners,
            uncertain: self.uncertain,
            candidates: &self.candidates,
            shared: self.shared,
        }
    }
}

/// An audience, borrowed.
#[derive(Debug)]
pub(super) struct Context<'e> {
    pub(super) project: Option<&'e str>,
    pub(super) confined: bool,
    owners: &'e [Owned],
    pub(super) uncertain: Kinds,
    pub(super) candidates: &'e Candidates,
    shared: Kinds,
}

impl<'e> Context<'e> {
    pub(super) fn of(event: &'e Event) -> Self {
        let settled = &event.settled;
        Self {
            project: event.project_id.as_deref(),
            confined: settled.confined,
            owners: &settled.owners,
            uncertain: settled.uncertain,
            candidates: &settled.candidates,
            shared: settled.shared,
        }
    }

    /// Whether the event belongs to one of several projects, and it is uncertain to which.
    pub(super) fn is_of_some_project(&self) -> bool {
        self.project.is_none() && self.uncertain.contains(ThingKind::Project)
    }

    pub(super) fn home(&self, kind: ThingKind) -> Option<&'e str> {
        self.project.filter(|_| !self.shared.contains(kind))
    }

    pub(super) fn owner(&self, kind: ThingKind) -> Option<&'e str> {
        let owned = self.owners.iter().find(|owned| owned.kinds.contains(kind));
        owned.map(|owned| &*owned.owner)
    }
}
