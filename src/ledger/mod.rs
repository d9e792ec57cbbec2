//! The ledger: which project each thing is at home in, and whose it is.
//!
//! It stands in the intake. Each event is settled by it ([`Ledger::settle`]) in the order in which events are handed to the
//! journal, under one short lock; what was settled is kept with the event (`crate::event::Settled`), so nobody asks again.
//! Only a client that wants to be in a thing's room does ([`Ledger::look`]): a room is of the present.
//!
//! A thing is (project, kind, id). Nothing that is said of a thing of one project changes what is known of another's of the
//! same id, and nobody's things push out what is known of another's:
//!
//! - What unlimited producers say and what producers say whose tokens name projects is kept in two pools. The second never
//!   decides in which project an event of the first belongs, nor evicts anything of it.
//! - In a full pool the oldest goes of whose there is most: of the project that has most, or of the limited producer. The
//!   same when the pools of all kinds together hold too much memory; then it is one of the kind that holds most.
//! - What an unlimited producer's thing was is remembered as forgotten for its kind: what is named without a project, and
//!   isn't known, may then be of any project, and no limited producer becomes its owner.
//! - By which names and boards projects go is only what unlimited producers said. A name that several have stands for none of
//!   them alone.
//!
//! After a restart the ledger is read from the checkpoint and learns the later records ([`Ledger::learn`]) before any
//! producer is let in.

mod fair;
mod former;
mod homes;
mod metrics;
mod names;
mod pool;
mod settle;
#[cfg(test)]
mod tests;
mod text;

use std::{
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use crate::event::{Kinds, ThingKind};
use names::{Most, Names};
use pool::{Entry, Pool, key_of};

pub use former::Former;
pub use homes::Homes;
pub use metrics::Metrics;
pub use settle::Things;
pub use text::{Restoring, Saving};

/// Bytes of a project's id. Longer ones are the event's own matter: no room can be named so, and nothing is known in them.
pub const MAX_PROJECT: usize = 256;

/// The one that publishes.
#[derive(Clone, Copy)]
pub struct Speaker<'a> {
    /// The verified identity; empty when nobody was asked.
    pub producer: &'a Arc<str>,
    /// Whether a project is one of its token's; `None` for a producer without limits.
    pub projects: Option<&'a dyn Fn(&str) -> bool>,
}

impl fmt::Debug for Speaker<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let limited = self.projects.is_some();
        write!(f, "Speaker({:?}, limited: {limited})", self.producer)
    }
}

/// Bounds on what is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bounds {
    /// Things of a kind, of unlimited and of limited producers each.
    pub things: usize,
    /// Bytes of memory that they hold, of all kinds together, of unlimited and of limited producers each.
    pub bytes: usize,
}

impl Default for Bounds {
    fn default() -> Self {
        Self {
            things: 50_000,
            bytes: 12 * 1_024 * 1_024,
        }
    }
}

/// The names of projects hold such a part of the ledger's memory at the most.
const NAMES_PART: usize = 8;

impl Bounds {
    /// Bounds on the names of projects.
    fn names(self) -> Most {
        Most {
            projects: self.things,
            bytes: self.bytes / NAMES_PART,
        }
    }
}

/// The homes and owners of all things that are known.
#[derive(Debug)]
pub struct Ledger {
    known: Mutex<Known>,
    metrics: Metrics,
}

#[derive(Debug)]
struct Known {
    /// The things that unlimited producers named, by kind.
    vouched: Vec<Pool>,
    /// Those of producers whose tokens name projects.
    claimed: Vec<Pool>,
    /// Kinds of which something vouched was forgotten.
    forgotten: Kinds,
    /// The names and boards of projects.
    names: Names,
    /// More is not known.
    bounds: Bounds,
    /// Counts of what was forgotten.
    metrics: Metrics,
}

impl Known {
    fn new(bounds: Bounds, metrics: Metrics) -> Self {
        let pools = |of_projects| {
            let pool = |_| Pool::new(bounds.things.max(1), of_projects);
            ThingKind::ALL.iter().map(pool).collect()
        };
        Self {
            vouched: pools(true),
            claimed: pools(false),
            forgotten: Kinds::default(),
            names: Names::default(),
            bounds,
            metrics,
        }
    }

    /// Adds a thing that isn't known yet, as an account's.
    fn add(&mut self, kind: ThingKind, limited: bool, account: &Arc<str>, entry: Entry) {
        let pools = match limited {
            true => &mut self.claimed,
            false => &mut self.vouched,
        };
        let home = entry.project.as_deref().map(key_of);
        if pools[kind as usize].insert(account, home, entry) {
            self.was_forgotten(kind, limited, "count");
        }
        self.hold(limited);
    }

    /// Lets go of things, of the kind that holds most, until these pools hold no more memory than they may.
    fn hold(&mut self, limited: bool) {
        loop {
            let (pools, names) = match limited {
                true => (&mut self.claimed, 0),
                false => (&mut self.vouched, self.names.held()),
            };
            let held: usize = pools.iter().map(Pool::held).sum();
            self.metrics.holds(limited, held + names);
            if held + names <= self.bounds.bytes {
                return;
            }
            let most = (0..pools.len()).max_by_key(|at| pools[*at].held());
            let Some((at, known)) = most.and_then(|at| Some((at, pools[at].evict()?))) else {
                return;
            };
            if known {
                self.was_forgotten(ThingKind::ALL[at], limited, "bytes");
            }
        }
    }

    /// Something of this kind was let go of.
    fn was_forgotten(&mut self, kind: ThingKind, limited: bool, reason: &'static str) {
        self.metrics.forgotten(kind, reason);
        if !limited {
            self.forgotten.insert(kind);
        }
    }
}

/// A thing as it is looked at for its room: where it is at home, and whose it is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Seat<'l> {
    /// Its home.
    pub project: Option<&'l str>,
    /// Its owner.
    pub owner: Option<&'l str>,
    /// That was said by a limited producer: the owner has to see the project.
    pub limited: bool,
}

/// The things of one kind and id, in whatever projects.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Seats<'l> {
    /// It was never named.
    None,
    /// It may be of any project.
    Unknown,
    /// These are.
    These(&'l [Seat<'l>]),
}

impl Ledger {
    /// Nothing is known; at most `max` things of a kind will be, of unlimited and of limited producers each.
    pub fn new(max: usize) -> Self {
        Self::within(Bounds {
            things: max,
            ..Bounds::default()
        })
    }

    /// The same with bounds on memory.
    pub fn within(bounds: Bounds) -> Self {
        let metrics = Metrics::default();
        Self {
            known: Mutex::new(Known::new(bounds, metrics.clone())),
            metrics,
        }
    }

    /// The counters, which it makes itself.
    pub fn metrics(&self) -> &Metrics {
        &self.metrics
    }

    /// The past is not known: the events that told of it are gone.
    pub fn lack_the_past(&self) {
        self.lock().forgotten = ThingKind::ALL.iter().copied().collect();
    }

    /// Looks at the things of this kind and id, in whatever projects. Of an id that is known in very many projects it looks
    /// at the first ones.
    pub fn look<T>(&self, kind: ThingKind, id: &str, look: impl FnOnce(Seats<'_>) -> T) -> T {
        let known = self.lock();
        let id = key_of(id);
        let mut seats = Vec::new();
        let mut more = false;
        for pool in [&known.vouched[kind as usize], &known.claimed[kind as usize]] {
            let homes = pool.homes(id);
            more |= homes.is_some_and(|homes| homes.more > 0);
            let projects = homes.into_iter().flat_map(|homes| &homes.known);
            let homes = projects.map(|project| Some(&**project)).chain([None]);
            seats.extend(homes.filter_map(|project| {
                let entry = pool.get(project.map(key_of), id)?;
                (!entry.unsure || entry.owner.is_some()).then_some(Seat {
                    project,
                    owner: entry.owner().map(|owner| &**owner),
                    limited: entry.limited,
                })
            }));
        }
        look(match &seats[..] {
            [] if more || known.forgotten.contains(kind) => Seats::Unknown,
            [] => Seats::None,
            seats => Seats::These(seats),
        })
    }

    /// The same for the thing of one project; `None` when it isn't known there.
    pub fn look_in<T>(
        &self,
        project: &str,
        kind: ThingKind,
        id: &str,
        look: impl FnOnce(Option<Seat<'_>>) -> T,
    ) -> T {
        let known = self.lock();
        let id = key_of(id);
        let entry = [&known.vouched, &known.claimed]
            .into_iter()
            .find_map(|pools| pools[kind as usize].get(Some(key_of(project)), id));
        look(entry.map(|entry| Seat {
            project: Some(project),
            owner: entry.owner().map(|owner| &**owner),
            limited: entry.limited,
        }))
    }

    fn lock(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
