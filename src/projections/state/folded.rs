//! The state: the facts of all events that were folded in.

use super::{
    entities::Kept,
    limits::{Dropped, Evicted, Limits},
    picture::Picture,
    walk::Walk,
};
use crate::{access::authz::Permissions, timestamp::Timestamp};

/// The state: the facts of all events that were folded in.
#[derive(Debug)]
pub struct State {
    /// Projects, agents, tasks, runs and the health.
    pub(super) kept: Kept,
    /// Events folded in.
    pub(super) events: u64,
    /// Decisions among them.
    pub(super) decisions: u64,
}

impl State {
    /// A state without facts, within these limits.
    pub fn new(limits: Limits) -> Self {
        Self {
            kept: Kept::new(limits),
            events: 0,
            decisions: 0,
        }
    }

    /// The state as it is now.
    pub fn picture(&self) -> Picture {
        Picture {
            store: self.kept.store.clone(),
            events: self.events,
            decisions: self.decisions,
            evicted: self.evicted().map(|e| e.entities).sum(),
            clock: self.kept.clock,
            age: self.kept.age(),
        }
    }

    /// The number of entities.
    pub fn entities(&self) -> usize {
        self.kept.store.len()
    }

    /// About how many bytes of memory its entities hold.
    pub fn bytes(&self) -> usize {
        self.kept.bytes()
    }

    /// The numbers of evicted entities, by kind and bound.
    pub fn evicted(&self) -> impl Iterator<Item = Evicted> + use<> {
        self.kept.evicted()
    }

    /// The numbers of facts that were not taken.
    pub fn dropped(&self) -> Dropped {
        self.kept.dropped()
    }

    /// The state as JSON, at `cursor`, as far as `permissions` allow it; of one project if the client asks for that.
    pub fn snapshot(
        &self,
        cursor: &str,
        now: Timestamp,
        project: Option<&str>,
        permissions: &Permissions,
    ) -> String {
        Walk::new(self.picture(), permissions.clone(), project).whole(cursor, now)
    }
}

impl PartialEq for State {
    fn eq(&self, other: &Self) -> bool {
        self.kept.store == other.kept.store
            && (self.events, self.decisions) == (other.events, other.decisions)
    }
}
