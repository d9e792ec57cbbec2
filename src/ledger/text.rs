//! The ledger as text, for checkpoints.

use std::{collections::HashMap, sync::Arc};

use serde::{Deserialize, Serialize};

use super::{
    Known, Ledger,
    pool::{Entry, Pool, key_of},
};
use crate::event::{Kind, Kinds};

/// A ledger as it is saved. Limits are not among it: those of the configuration hold.
#[derive(Debug, Serialize, Deserialize)]
pub struct SavedLedger {
    /// By kind.
    vouched: Vec<(Kind, Vec<Row>)>,
    /// The same of limited producers.
    claimed: Vec<(Kind, Vec<Row>)>,
    /// Kinds of which something was forgotten.
    forgotten: Kinds,
    /// Projects by name.
    names: HashMap<Box<str>, Arc<str>>,
}

/// One thing: account, id, project, owner, marks.
type Row = (Arc<str>, String, Option<Arc<str>>, Option<Arc<str>>, u8);

const SURE: u8 = 1;
const SHARED: u8 = 2;
const LIMITED: u8 = 4;
const UNSURE: u8 = 8;

impl Ledger {
    /// All that is known, to go on from later.
    pub fn save(&self) -> SavedLedger {
        let known = self.lock();
        SavedLedger {
            vouched: rows(&known.vouched),
            claimed: rows(&known.claimed),
            forgotten: known.forgotten,
            names: known.names.clone(),
        }
    }

    /// Goes on from what was saved, within other limits perhaps.
    pub fn of_saved(saved: SavedLedger, max: usize) -> Self {
        let mut known = Known::new(max);
        known.forgotten = saved.forgotten;
        known.names = saved.names.into_iter().take(known.max).collect();
        for (kind, rows) in saved.vouched {
            if fill(&mut known.vouched[kind as usize], rows) {
                known.forgotten.insert(kind);
            }
        }
        for (kind, rows) in saved.claimed {
            fill(&mut known.claimed[kind as usize], rows);
        }
        Self(known.into())
    }
}

/// A thing as it was known before events were settled.
#[derive(Debug)]
pub struct Former<'a> {
    /// Its kind.
    pub kind: Kind,
    /// Its id.
    pub id: &'a str,
    /// Its home.
    pub project: Option<Arc<str>>,
    /// The user it was named with.
    pub owner: Option<Arc<str>>,
    /// The owner was named as such.
    pub sure: bool,
    /// Several use it.
    pub shared: bool,
}

impl<'a> Former<'a> {
    /// One of no project, of which nothing else is known.
    pub fn homeless(kind: Kind, id: &'a str) -> Self {
        Self {
            kind,
            id,
            project: None,
            owner: None,
            sure: false,
            shared: false,
        }
    }
}

impl Ledger {
    /// Takes over what was known before events were settled, and of which kinds something was forgotten.
    pub fn take_over<'a>(&self, things: impl Iterator<Item = Former<'a>>, forgotten: &[Kind]) {
        let mut known = self.lock();
        forgotten
            .iter()
            .for_each(|kind| known.forgotten.insert(*kind));
        let none = Arc::from("");
        for thing in things {
            let at = thing.kind as usize;
            let account = thing.project.clone().unwrap_or_else(|| Arc::clone(&none));
            let entry = Entry {
                id: key_of(thing.id),
                project: thing.project,
                owner: thing.owner,
                sure: thing.sure,
                shared: thing.shared,
                ..Entry::default()
            };
            let home = entry.project.as_deref().map(key_of);
            if known.vouched[at].insert(&account, home, entry) {
                known.forgotten.insert(thing.kind);
            }
        }
    }
}

fn rows(pools: &[Pool]) -> Vec<(Kind, Vec<Row>)> {
    let rows = |pool: &Pool| pool.iter().filter_map(row).collect::<Vec<_>>();
    let kinds = Kind::ALL.into_iter().zip(pools);
    kinds
        .map(|(kind, pool)| (kind, rows(pool)))
        .filter(|(_, rows)| !rows.is_empty())
        .collect()
}

fn row((account, entry): (&Arc<str>, &Entry)) -> Option<Row> {
    let marks = [
        (entry.sure, SURE),
        (entry.shared, SHARED),
        (entry.limited, LIMITED),
        (entry.unsure, UNSURE),
    ];
    let marks = marks.iter().filter(|(is, _)| *is).map(|(_, mark)| mark);
    (!entry.moved).then(|| {
        (
            account.clone(),
            format!("{:x}", entry.id),
            entry.project.clone(),
            entry.owner.clone(),
            marks.sum(),
        )
    })
}

/// Fills a pool; whether something had to be forgotten.
fn fill(pool: &mut Pool, rows: Vec<Row>) -> bool {
    let mut forgotten = false;
    for (account, id, project, owner, marks) in rows {
        let Ok(id) = u128::from_str_radix(&id, 16) else {
            continue;
        };
        let entry = Entry {
            id,
            project,
            owner,
            sure: marks & SURE != 0,
            shared: marks & SHARED != 0,
            limited: marks & LIMITED != 0,
            unsure: marks & UNSURE != 0,
            moved: false,
        };
        let home = entry.project.as_deref().map(key_of);
        forgotten |= pool.insert(&account, home, entry);
    }
    forgotten
}
