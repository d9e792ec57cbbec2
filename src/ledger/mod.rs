//! The ledger: the home and the owner of each thing.
//!
//! The intake settles each event by the ledger ([`Ledger::settle`]), in the order in which events are handed to the
//! journal, under one short lock. The settled facts are kept with the event (`crate::event::Settled`), so nobody asks
//! again. Only for a client that wants to be in a thing's room the server does ([`Ledger::look`]): a room is of the
//! present.
//!
//! A thing is (project, kind, id). An event about a thing of one project changes no fact of another project's thing
//! with the same id, and no producer's things push out another's:
//!
//! - Two pools keep the things of unlimited producers, and of producers whose tokens name projects. The second pool
//!   never decides the project of an event of the first, and never evicts its things.
//! - A full pool evicts the oldest thing of the project that has most, or of the limited producer that has most. If the
//!   pools of all kinds together hold too much memory, the kind that holds most evicts one in the same way.
//! - After an unlimited producer's thing is evicted, its kind counts as forgotten: an unknown thing of the kind that is
//!   named without a project may then belong to any project, and no limited producer becomes its owner.
//! - Only unlimited producers give names and boards to projects. A name that several projects have stands for none of
//!   them alone.
//!
//! After a restart the ledger is read from the checkpoint and learns the later records ([`Ledger::learn`]) before any
//! producer is let in.

mod fair;
mod former;
mod homes;
mod learn;
mod metrics;
mod names;
mod pool;
mod settle;
#[cfg(test)]
mod tests;
mod text;
mod things;

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
pub use text::{Restoring, Saving};
pub use things::Things;

/// Bytes of a project's id. No room can have a longer one as its name, and no thing is known in such a project.
pub const MAX_PROJECT: usize = 256;

/// The producer of an event.
#[derive(Clone, Copy)]
pub struct Speaker<'a> {
    /// The verified identity; empty when nobody was asked for one.
    pub producer: &'a Arc<str>,
    /// Whether a project is one of the token's; `None` for a producer without limits.
    pub projects: Option<&'a dyn Fn(&str) -> bool>,
}

impl fmt::Debug for Speaker<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let limited = self.projects.is_some();
        write!(f, "Speaker({:?}, limited: {limited})", self.producer)
    }
}

/// The bounds of the ledger.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bounds {
    /// Things of each kind, for unlimited and for limited producers each.
    pub things: usize,
    /// Bytes of memory that the things of all kinds hold together, for unlimited and for limited producers each.
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

/// The part of the ledger's memory that the names of projects may hold: one in so many bytes.
const NAMES_PART: usize = 8;

impl Bounds {
    /// The bounds of the names of projects.
    fn names(self) -> Most {
        Most {
            projects: self.things,
            bytes: self.bytes / NAMES_PART,
        }
    }
}

/// The homes and owners of all known things.
#[derive(Debug)]
pub struct Ledger {
    known: Mutex<Known>,
    metrics: Metrics,
}

#[derive(Debug)]
struct Known {
    /// The things that unlimited producers named, by kind.
    vouched: Vec<Pool>,
    /// The things that producers named whose tokens name projects.
    claimed: Vec<Pool>,
    /// Kinds of which an unlimited producer's thing was evicted.
    forgotten: Kinds,
    /// The names and boards of projects.
    names: Names,
    bounds: Bounds,
    /// Counts of evicted things.
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

    /// Adds a thing that isn't known yet, to an account.
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

    /// Evicts things, of the kind that holds most, until these pools hold no more memory than they may.
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

    /// Notes that a thing of this kind was evicted.
    fn was_forgotten(&mut self, kind: ThingKind, limited: bool, reason: &'static str) {
        self.metrics.forgotten(kind, reason);
        if !limited {
            self.forgotten.insert(kind);
        }
    }
}

/// A thing as a room needs it: its home and its owner.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Seat<'l> {
    /// Its home.
    pub project: Option<&'l str>,
    /// Its owner.
    pub owner: Option<&'l str>,
    /// Whether a limited producer said that: then the owner has to see the project.
    pub limited: bool,
}

/// The things of one kind and id, in all projects.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Seats<'l> {
    /// No event ever named it.
    None,
    /// Any project may have it.
    Unknown,
    /// These have it.
    These(&'l [Seat<'l>]),
}

impl Ledger {
    /// An empty ledger, with at most `max` things of a kind, for unlimited and for limited producers each.
    pub fn new(max: usize) -> Self {
        Self::within(Bounds {
            things: max,
            ..Bounds::default()
        })
    }

    /// An empty ledger with bounds on memory, too.
    pub fn within(bounds: Bounds) -> Self {
        let metrics = Metrics::default();
        Self {
            known: Mutex::new(Known::new(bounds, metrics.clone())),
            metrics,
        }
    }

    /// The counters of the ledger.
    pub fn metrics(&self) -> &Metrics {
        &self.metrics
    }

    /// Notes that the events of the past are gone, so that any unknown thing may have had an owner.
    pub fn lack_the_past(&self) {
        self.lock().forgotten = ThingKind::ALL.iter().copied().collect();
    }

    /// Looks at the things of this kind and id, in all projects. If an id is known in very many projects, only the
    /// first ones are looked at.
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
