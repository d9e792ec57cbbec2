//! The current state (contract §5), folded from the events in the journal's order.
//!
//! Each entity is a JSON object that later facts are laid over: what a producer says of an agent is not lost because
//! Stoa doesn't know the word. The same events in the same order always give the same state.
//!
//! ```text
//!  event ─▶ fold ─▶ State ─▶ Picture (costs nothing, stays as it is) ─▶ Walk (what one client sees, piece by piece)
//!                     └ bounded in entities and bytes; the project that holds most forgets first
//! ```

mod agent;
pub mod checkpoint;
mod entities;
mod entity;
mod fold;
mod former;
mod limits;
mod metrics;
mod saved;
mod snapshot;
#[cfg(test)]
mod tests;
mod walk;

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use crate::{access::authz::Permissions, event::Event, timestamp::Timestamp};
use entities::{Kept, Store};
pub use limits::{Dropped, Evicted, Limits};
pub(crate) use metrics::StateMetrics;
pub use snapshot::{Snapshot, Text};
pub use walk::Walk;

/// All that is known now.
#[derive(Debug)]
pub struct State {
    /// Projects, agents, tasks, runs and the health.
    kept: Kept,
    /// Events folded in.
    events: u64,
    /// Decisions among them.
    decisions: u64,
}

/// The state at one place of the stream: it stays as it is while the state goes on.
#[derive(Debug, Clone, PartialEq)]
pub struct Picture {
    store: Store,
    events: u64,
    decisions: u64,
    evicted: u64,
    /// For the order of changes after a restart.
    clock: u64,
    /// Tells how much of it is no longer so.
    age: Age,
}

/// How much the state replaced since a picture was made: the picture holds that beside the state.
#[derive(Debug, Clone)]
struct Age {
    replaced: Arc<AtomicU64>,
    then: u64,
    /// So much may be held.
    most: u64,
}

/// Pictures are alike whenever they were made.
impl PartialEq for Age {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl State {
    /// Nothing is known, and never more than these limits will be.
    pub fn new(limits: Limits) -> Self {
        Self {
            kept: Kept::new(limits),
            events: 0,
            decisions: 0,
        }
    }

    /// Folds one event in.
    pub fn apply(&mut self, event: &Event) {
        self.events += 1;
        fold::apply(self, event);
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

    /// How many entities there are.
    pub fn entities(&self) -> usize {
        self.kept.store.len()
    }

    /// About how many bytes of memory its entities hold.
    pub fn bytes(&self) -> usize {
        self.kept.bytes()
    }

    /// Entities that had to go, by kind and bound.
    pub fn evicted(&self) -> impl Iterator<Item = Evicted> + use<> {
        self.kept.evicted()
    }

    /// Facts that were not taken.
    pub fn dropped(&self) -> Dropped {
        self.kept.dropped()
    }

    /// The state as JSON, at `cursor`, as far as `permissions` allow it; of one project when that is asked for.
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

impl Picture {
    /// Whether it holds more beside the state than a quarter of what the state may hold: it is time to let it go.
    pub fn is_outdated(&self) -> bool {
        let held = self.age.replaced.load(Ordering::Relaxed) - self.age.then;
        held > self.age.most
    }

    /// How many entities there are.
    pub fn entities(&self) -> usize {
        self.store.len()
    }
}

impl PartialEq for State {
    fn eq(&self, other: &Self) -> bool {
        self.kept.store == other.kept.store
            && (self.events, self.decisions) == (other.events, other.decisions)
    }
}
