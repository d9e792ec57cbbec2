//! The ledger as text, for checkpoints.

use std::{collections::HashMap, sync::Arc};

use serde::{Deserialize, Serialize};

use super::{
    Known, Ledger,
    pool::{Entry, Pool},
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
        forgotten |= pool.insert(&account, entry);
    }
    forgotten
}
