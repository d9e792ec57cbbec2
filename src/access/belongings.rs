//! Whose things are: their owners and projects, learnt from the events in their order.
//!
//! Written by whoever folds the events, read by every door. A reader waits for nothing but another's map access.

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    sync::{
        Arc, PoisonError, RwLock, RwLockReadGuard,
        atomic::{AtomicU64, Ordering},
    },
};

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::{
    event::{Event, Kind, Owner},
    journal::Seq,
};

/// Projects of one thing that are remembered; of one that was named with more, nobody can be said to see them all.
const MAX_PROJECTS: usize = 8;

/// What is known of whom things belong to.
#[derive(Debug)]
pub struct Belongings {
    /// All that is known.
    known: RwLock<Known>,
    /// Up to which event: of later ones nobody can say yet who may see them.
    learnt_to: AtomicU64,
}

#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
struct Known {
    /// By kind and id.
    things: BTreeMap<Kind, Things>,
    /// How many of a kind are kept.
    max: usize,
    /// Kinds of which some were forgotten: what is not known of these may be anybody's.
    forgotten: BTreeSet<Kind>,
}

#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
struct Things {
    by_id: BTreeMap<Arc<str>, Belonging>,
    /// In the order in which they were first heard of: the oldest goes first.
    order: VecDeque<Arc<str>>,
}

/// To whom one thing belongs.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Belonging {
    /// The first user it was named with, unless an event names another as the owner.
    #[serde(skip_serializing_if = "Option::is_none")]
    owner: Option<Arc<str>>,
    /// The owner was named as such, and not only as the user.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    sure: bool,
    /// Several use it and none was named as the owner.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    shared: bool,
    /// The projects it was named with. Ids like `task-1` are used by many, so a later one doesn't replace an earlier one.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    projects: Vec<Arc<str>>,
    /// There were more projects than are remembered.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    more: bool,
}

/// What is known of the projects of a thing.
#[derive(Debug, PartialEq, Eq)]
pub enum Projects<'b> {
    /// It was never named with one.
    None,
    /// What was known of some of its kind is forgotten, and of this one nothing is known.
    Forgotten,
    /// These.
    These(&'b [Arc<str>]),
    /// More than are remembered.
    TooMany,
}

impl Belonging {
    /// Its owner, if it has just one.
    pub fn owner(&self) -> Option<&str> {
        self.owner.as_deref().filter(|_| !self.shared)
    }

    /// Whether an event tells nothing new of it.
    fn has(&self, kind: Kind, owner: Option<Owner<'_>>, project: Option<&str>) -> bool {
        let owner_known = match owner {
            Some(Owner::Said(owner)) => self.sure && self.owner.as_deref() == Some(owner),
            Some(Owner::Concerned(user)) => {
                let only = kind != Kind::Workflow || self.sure || self.shared;
                self.owner.is_some() && (only || self.owner.as_deref() == Some(user))
            }
            None => true,
        };
        owner_known && project.is_none_or(|project| self.more || self.is_of(project))
    }

    fn is_of(&self, project: &str) -> bool {
        self.projects.iter().any(|known| **known == *project)
    }

    fn learn(&mut self, kind: Kind, owner: Option<Owner<'_>>, project: Option<&str>) {
        match owner {
            Some(Owner::Said(owner)) => {
                self.owner = Some(owner.into());
                (self.sure, self.shared) = (true, false);
            }
            Some(Owner::Concerned(user)) if self.owner.is_none() => self.owner = Some(user.into()),
            // One who runs a workflow doesn't own what others do with it.
            Some(Owner::Concerned(user)) if kind == Kind::Workflow && !self.sure => {
                self.shared |= self.owner.as_deref() != Some(user);
            }
            _ => {}
        }
        if let Some(project) = project.filter(|project| !self.is_of(project)) {
            if self.projects.len() < MAX_PROJECTS {
                self.projects.push(project.into());
            } else {
                self.more = true;
            }
        }
    }
}

impl Belongings {
    /// Nothing is known; at most `max` things of a kind will be.
    pub fn new(max: usize) -> Self {
        Self::of(Known {
            things: BTreeMap::new(),
            max: max.max(1),
            forgotten: BTreeSet::new(),
        })
    }

    fn of(known: Known) -> Self {
        Self {
            known: RwLock::new(known),
            learnt_to: AtomicU64::new(0),
        }
    }

    /// Keeps no more than `max` things of a kind from now on.
    pub fn hold(&self, max: usize) {
        let mut known = self.known.write().unwrap_or_else(PoisonError::into_inner);
        let known = &mut *known;
        known.max = max.max(1);
        for (kind, things) in &mut known.things {
            while things.by_id.len() > known.max
                && let Some(oldest) = things.order.pop_front()
            {
                things.by_id.remove(&oldest);
                known.forgotten.insert(*kind);
            }
        }
    }

    /// All events up to this one are learnt.
    pub fn set_learnt_to(&self, seq: Seq) {
        self.learnt_to.store(seq, Ordering::Release);
    }

    /// Up to which event all are learnt.
    pub fn learnt_to(&self) -> Seq {
        self.learnt_to.load(Ordering::Acquire)
    }

    /// What was said in the past is not known: the events that said it are gone.
    pub fn lack_the_past(&self) {
        let mut known = self.known.write().unwrap_or_else(PoisonError::into_inner);
        known.forgotten.extend(Kind::ALL);
    }

    /// Learns what an event says.
    pub fn learn(&self, event: &Event) {
        let owner = event.owner();
        let project = event.project_id.as_deref();
        if owner.is_none() && project.is_none() {
            return;
        }
        let runs = event.run_id().or(event.execution_id()).is_some();
        event.things(&mut |kind, id| {
            // Who owns a run of a workflow is said of the run.
            let owner = match owner {
                Some(Owner::Said(owner)) if runs && kind == Kind::Workflow => {
                    Some(Owner::Concerned(owner))
                }
                owner => owner,
            };
            if matches!(kind, Kind::Project | Kind::User) || self.says(kind, id, owner, project) {
                return;
            }
            let mut known = self.known.write().unwrap_or_else(PoisonError::into_inner);
            known.learn(kind, id, owner, project);
        });
    }

    /// Whether this is known already, which is the usual case.
    fn says(&self, kind: Kind, id: &str, owner: Option<Owner<'_>>, project: Option<&str>) -> bool {
        let known = self.read();
        let belonging = known.get(kind, id);
        belonging.is_some_and(|belonging| belonging.has(kind, owner, project))
    }

    /// Looks at whom a thing belongs to: its owner and its projects.
    pub fn look<T>(
        &self,
        kind: Kind,
        id: &str,
        look: impl FnOnce(Option<&str>, Projects<'_>) -> T,
    ) -> T {
        let known = self.read();
        let belonging = known.get(kind, id);
        let projects = match belonging {
            Some(belonging) if belonging.more => Projects::TooMany,
            Some(belonging) if !belonging.projects.is_empty() => {
                Projects::These(&belonging.projects)
            }
            _ if known.forgotten.contains(&kind) => Projects::Forgotten,
            _ => Projects::None,
        };
        look(belonging.and_then(Belonging::owner), projects)
    }

    fn read(&self) -> RwLockReadGuard<'_, Known> {
        self.known.read().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Known {
    fn get(&self, kind: Kind, id: &str) -> Option<&Belonging> {
        self.things.get(&kind)?.by_id.get(id)
    }

    fn learn(&mut self, kind: Kind, id: &str, owner: Option<Owner<'_>>, project: Option<&str>) {
        let max = self.max;
        let things = self.things.entry(kind).or_default();
        if !things.by_id.contains_key(id) {
            while things.by_id.len() >= max
                && let Some(oldest) = things.order.pop_front()
            {
                things.by_id.remove(&oldest);
                self.forgotten.insert(kind);
            }
            let id: Arc<str> = id.into();
            things.order.push_back(id.clone());
            things.by_id.insert(id, Belonging::default());
        }
        if let Some(belonging) = things.by_id.get_mut(id) {
            belonging.learn(kind, owner, project);
        }
    }
}

impl PartialEq for Belongings {
    fn eq(&self, other: &Self) -> bool {
        std::ptr::eq(self, other) || *self.read() == *other.read()
    }
}

impl Serialize for Belongings {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.read().serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Belongings {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Known::deserialize(deserializer).map(Self::of)
    }
}
