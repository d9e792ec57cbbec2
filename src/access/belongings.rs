//! Whose things are: their owners and projects, learnt from the events in their order.
//!
//! Written by whoever folds the events, read by every door. A reader waits for nothing but another's map access.

use std::{
    collections::{BTreeMap, VecDeque},
    sync::{Arc, PoisonError, RwLock, RwLockReadGuard},
};

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::event::{Event, Kind, Owner};

/// What is known of whom things belong to.
#[derive(Debug)]
pub struct Belongings(RwLock<Known>);

#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
struct Known {
    /// By kind and id.
    things: BTreeMap<Kind, Things>,
    /// How many of a kind are kept.
    max: usize,
}

#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
struct Things {
    by_id: BTreeMap<Arc<str>, Belonging>,
    /// In the order in which they were first heard of: the oldest goes first.
    order: VecDeque<Arc<str>>,
}

/// To whom one thing belongs.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Belonging {
    /// Its owner: the first user it was named with, unless an event names another as the owner.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub owner: Option<Arc<str>>,
    /// The project it was last named with.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub project: Option<Arc<str>>,
}

impl Belongings {
    /// Nothing is known; at most `max` things of a kind will be.
    pub fn new(max: usize) -> Self {
        Self(RwLock::new(Known {
            things: BTreeMap::new(),
            max: max.max(1),
        }))
    }

    /// Learns what an event says.
    pub fn learn(&self, event: &Event) {
        let owner = event.owner();
        let project = event.project_id.as_deref();
        if owner.is_none() && project.is_none() {
            return;
        }
        event.things(&mut |kind, id| {
            if matches!(kind, Kind::Project | Kind::User) || self.says(kind, id, owner, project) {
                return;
            }
            let mut known = self.0.write().unwrap_or_else(PoisonError::into_inner);
            known.learn(kind, id, owner, project);
        });
    }

    /// Whether this is known already, which is the usual case.
    fn says(&self, kind: Kind, id: &str, owner: Option<Owner<'_>>, project: Option<&str>) -> bool {
        let known = self.read();
        let Some(belonging) = known.get(kind, id) else {
            return false;
        };
        let owner_known = match owner {
            Some(Owner::Said(owner)) => belonging.owner.as_deref() == Some(owner),
            Some(Owner::Concerned(_)) => belonging.owner.is_some(),
            None => true,
        };
        owner_known && (project.is_none() || belonging.project.as_deref() == project)
    }

    /// To whom a thing belongs.
    pub fn of(&self, kind: Kind, id: &str) -> Belonging {
        self.read().get(kind, id).cloned().unwrap_or_default()
    }

    fn read(&self) -> RwLockReadGuard<'_, Known> {
        self.0.read().unwrap_or_else(PoisonError::into_inner)
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
            // Who is forgotten has no owner, and is shown to fewer, not to more.
            while things.by_id.len() >= max
                && let Some(oldest) = things.order.pop_front()
            {
                things.by_id.remove(&oldest);
            }
            let id: Arc<str> = id.into();
            things.order.push_back(id.clone());
            things.by_id.insert(id, Belonging::default());
        }
        let Some(belonging) = things.by_id.get_mut(id) else {
            return;
        };
        match owner {
            Some(Owner::Said(owner)) => belonging.owner = Some(owner.into()),
            Some(Owner::Concerned(user)) if belonging.owner.is_none() => {
                belonging.owner = Some(user.into());
            }
            _ => {}
        }
        if let Some(project) = project {
            belonging.project = Some(project.into());
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
        Known::deserialize(deserializer).map(|known| Self(RwLock::new(known)))
    }
}
