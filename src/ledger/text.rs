//! The ledger as text, for checkpoints: line by line, so that it is never held a second time.
//!
//! It goes on learning while it is saved. So it is saved with a place up to which it certainly learnt everything; what it
//! knows beyond that it learns again, which teaches it nothing else.

use std::{collections::HashMap, sync::Arc, vec};

use serde::{Deserialize, Serialize};

use super::{Bounds, Known, Ledger, fair::Key, names::Saved, pool::Entry};
use crate::event::{Kinds, ThingKind};

/// About how long a line is.
const LINE_BYTES: usize = 256 * 1_024;

/// The first line: what is said of no single thing. Limits are not among it: those of the configuration hold.
#[derive(Debug, Serialize, Deserialize)]
struct Head {
    /// The things by kind, in a ledger that stands in one line.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    vouched: Vec<(ThingKind, Vec<Row>)>,
    /// The same of limited producers.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    claimed: Vec<(ThingKind, Vec<Row>)>,
    /// Kinds of which something was forgotten.
    forgotten: Kinds,
    /// Projects by name, as they were saved while a name stood for one project only.
    #[serde(default, skip_serializing_if = "HashMap::is_empty")]
    names: HashMap<Box<str>, Arc<str>>,
    /// The names and boards of projects.
    #[serde(default)]
    projects: Saved,
    /// The last record that it has learnt for certain; without it the things stand in this line.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    learnt: Option<u64>,
}

/// A line behind the head.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Line {
    /// Things of one kind.
    Things {
        kind: ThingKind,
        limited: bool,
        rows: Vec<Row>,
    },
    /// There are no more; what was forgotten meanwhile.
    End { forgotten: Kinds },
}

/// One thing: account, id, project, owner, marks.
type Row = (Arc<str>, String, Option<Arc<str>>, Option<Arc<str>>, u8);

/// The same before it is written.
type Kept = (Arc<str>, Key, Option<Arc<str>>, Option<Arc<str>>, u8);

const SURE: u8 = 1;
const SHARED: u8 = 2;
const LIMITED: u8 = 4;
const UNSURE: u8 = 8;

/// A ledger as lines. Of one kind's things it holds its own list, with the ledger's texts.
#[derive(Debug)]
pub struct Saving {
    ledger: Arc<Ledger>,
    /// Comes first.
    head: Option<String>,
    /// The entry that is written next: its kind, whether limited producers said it.
    next: vec::IntoIter<(ThingKind, bool)>,
    kind: (ThingKind, bool),
    rows: vec::IntoIter<Kept>,
    ended: bool,
}

impl Saving {
    /// Nothing of it is written yet; it has learnt everything up to this record, and perhaps more.
    pub fn new(ledger: Arc<Ledger>, learnt: u64) -> Self {
        let head = {
            let known = ledger.lock();
            Head {
                vouched: Vec::new(),
                claimed: Vec::new(),
                forgotten: known.forgotten,
                names: HashMap::new(),
                projects: known.names.save(),
                learnt: Some(learnt),
            }
        };
        let both = |&kind| [(kind, false), (kind, true)];
        let all: Vec<_> = ThingKind::ALL.iter().flat_map(both).collect();
        Self {
            ledger,
            // Texts and numbers: writing these can't fail.
            head: Some(serde_json::to_string(&head).unwrap_or_default()),
            next: all.into_iter(),
            kind: (ThingKind::Project, false),
            rows: Vec::new().into_iter(),
            ended: false,
        }
    }

    /// The next things of one kind, about as many as make a line.
    fn things(&mut self) -> Vec<Row> {
        let (mut rows, mut bytes) = (Vec::new(), 0);
        let len = |text: &Option<Arc<str>>| text.as_ref().map_or(4, |text| text.len());
        while bytes < LINE_BYTES
            && let Some((account, id, project, owner, marks)) = self.rows.next()
        {
            bytes += account.len() + len(&project) + len(&owner) + 50;
            rows.push((account, format!("{id:x}"), project, owner, marks));
        }
        rows
    }
}

impl Iterator for Saving {
    type Item = String;

    fn next(&mut self) -> Option<String> {
        if let Some(head) = self.head.take() {
            return Some(head);
        }
        let line = loop {
            let rows = self.things();
            let (kind, limited) = self.kind;
            if !rows.is_empty() {
                break Line::Things {
                    kind,
                    limited,
                    rows,
                };
            }
            let known = self.ledger.lock();
            let Some((kind, limited)) = self.next.next() else {
                if std::mem::replace(&mut self.ended, true) {
                    return None;
                }
                let forgotten = known.forgotten;
                break Line::End { forgotten };
            };
            self.kind = (kind, limited);
            let pools = if limited {
                &known.claimed
            } else {
                &known.vouched
            };
            let rows: Vec<Kept> = pools[kind as usize].iter().filter_map(row).collect();
            self.rows = rows.into_iter();
        };
        // Texts and numbers: writing these can't fail.
        Some(serde_json::to_string(&line).unwrap_or_default())
    }
}

fn row((account, entry): (&Arc<str>, &Entry)) -> Option<Kept> {
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
            entry.id,
            entry.project.clone(),
            entry.owner.clone(),
            marks.sum(),
        )
    })
}

/// Reads what [`Saving`] wrote, line by line, within other limits perhaps.
#[derive(Debug)]
pub struct Restoring {
    known: Known,
    /// The head was read.
    begun: bool,
    ended: bool,
    learnt: Option<u64>,
}

impl Restoring {
    /// Nothing of it is read yet.
    pub fn new(bounds: Bounds) -> Self {
        Self {
            known: Known::new(bounds, super::Metrics::default()),
            begun: false,
            ended: false,
            learnt: None,
        }
    }

    /// Whether the lines that follow are no more the ledger's.
    pub fn is_whole(&self) -> bool {
        self.ended
    }

    /// Reads one line; `None` if it is of another form.
    pub fn read(&mut self, line: &str) -> Option<()> {
        if !std::mem::replace(&mut self.begun, true) {
            let head: Head = serde_json::from_str(line).ok()?;
            self.known.forgotten = head.forgotten;
            let most = self.known.bounds.names();
            let names = &mut self.known.names;
            let mut lost = names.restore_former(head.names, most);
            lost |= names.restore(head.projects, most);
            if lost {
                self.known.forgotten.insert(ThingKind::Project);
            }
            self.learnt = head.learnt;
            self.ended = head.learnt.is_none();
            for (limited, things) in [(false, head.vouched), (true, head.claimed)] {
                things
                    .into_iter()
                    .for_each(|(kind, rows)| self.fill(kind, limited, rows));
            }
            return Some(());
        }
        match serde_json::from_str(line).ok()? {
            Line::Things {
                kind,
                limited,
                rows,
            } => self.fill(kind, limited, rows),
            Line::End { forgotten } => {
                let all = ThingKind::ALL.iter().copied();
                all.filter(|kind| forgotten.contains(*kind))
                    .for_each(|kind| self.known.forgotten.insert(kind));
                self.ended = true;
            }
        }
        Some(())
    }

    fn fill(&mut self, kind: ThingKind, limited: bool, rows: Vec<Row>) {
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
            self.known.add(kind, limited, &account, entry);
        }
    }

    /// The ledger, and the last record that it has learnt for certain, if it says so; `None` if a part of it is missing.
    pub fn finish(self) -> Option<(Ledger, Option<u64>)> {
        let Self { known, learnt, .. } = self;
        let metrics = known.metrics.clone();
        let known = known.into();
        self.ended.then_some((Ledger { known, metrics }, learnt))
    }
}
