//! The ledger as text, for checkpoints: line by line, so that it is never held a second time.
//!
//! The ledger goes on learning while it is saved. So it is saved with a place up to which it certainly learnt
//! everything; it learns later events again, which teaches it nothing new.

use std::{collections::HashMap, sync::Arc, vec};

use serde::{Deserialize, Serialize};

use super::{Bounds, Known, Ledger, fair::Key, names::Saved, pool::Entry};
use crate::event::{Kinds, ThingKind};

/// About how long a line is.
const LINE_BYTES: usize = 256 * 1_024;

/// The first line, with the facts of no single thing. Limits are not in it: those of the configuration hold.
#[derive(Debug, Serialize, Deserialize)]
struct Head {
    /// The things by kind, in a ledger that has a single line.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    vouched: Vec<(ThingKind, Vec<Row>)>,
    /// The things of limited producers.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    claimed: Vec<(ThingKind, Vec<Row>)>,
    /// Kinds of which a thing was evicted.
    forgotten: Kinds,
    /// Projects by name, as an earlier version saved them: a name stood for one project only.
    #[serde(default, skip_serializing_if = "HashMap::is_empty")]
    names: HashMap<Box<str>, Arc<str>>,
    /// The names and boards of projects.
    #[serde(default)]
    projects: Saved,
    /// The last record that it has learnt for certain; without it, this line has the things.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    learnt: Option<u64>,
}

/// A line after the head.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Line {
    /// Things of one kind.
    Things {
        kind: ThingKind,
        limited: bool,
        rows: Vec<Row>,
    },
    /// The last line, with the kinds that were forgotten meanwhile.
    End { forgotten: Kinds },
}

/// One thing: account, id, project, owner, flags, and the session of a run, which earlier versions did not know.
#[derive(Debug, Serialize, Deserialize)]
struct Row(
    Arc<str>,
    String,
    Option<Arc<str>>,
    Option<Arc<str>>,
    u8,
    #[serde(default, skip_serializing_if = "Option::is_none")] Option<Arc<str>>,
);

/// A thing before it is written.
type Kept = (
    Arc<str>,
    Key,
    Option<Arc<str>>,
    Option<Arc<str>>,
    u8,
    Option<Arc<str>>,
);

const SURE: u8 = 1;
const SHARED: u8 = 2;
const LIMITED: u8 = 4;
const UNSURE: u8 = 8;

/// A ledger as lines. It holds a list of one kind's things at a time, with the ledger's texts.
#[derive(Debug)]
pub struct Saving {
    ledger: Arc<Ledger>,
    /// The first line.
    head: Option<String>,
    /// The pools that are still to be written: the kind, and whether limited producers named the things.
    next: vec::IntoIter<(ThingKind, bool)>,
    kind: (ThingKind, bool),
    rows: vec::IntoIter<Kept>,
    ended: bool,
}

impl Saving {
    /// A ledger of which no line is written; it has learnt everything up to this record, and perhaps more.
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
            // Writing texts and numbers can't fail.
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
            && let Some((account, id, project, owner, marks, session)) = self.rows.next()
        {
            bytes += account.len() + len(&project) + len(&owner) + len(&session) + 50;
            let id = format!("{id:x}");
            rows.push(Row(account, id, project, owner, marks, session));
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
        // Writing texts and numbers can't fail.
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
            entry.session.clone(),
        )
    })
}

/// Reads the lines of [`Saving`], perhaps within other limits.
#[derive(Debug)]
pub struct Restoring {
    known: Known,
    /// Whether the head was read.
    begun: bool,
    ended: bool,
    learnt: Option<u64>,
}

impl Restoring {
    /// A ledger of which no line is read.
    pub fn new(bounds: Bounds) -> Self {
        Self {
            known: Known::new(bounds, super::Metrics::default()),
            begun: false,
            ended: false,
            learnt: None,
        }
    }

    /// Whether the lines that follow no longer belong to the ledger.
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
        for Row(account, id, project, owner, marks, session) in rows {
            let Ok(id) = u128::from_str_radix(&id, 16) else {
                continue;
            };
            let entry = Entry {
                id,
                project,
                owner,
                session,
                sure: marks & SURE != 0,
                shared: marks & SHARED != 0,
                limited: marks & LIMITED != 0,
                unsure: marks & UNSURE != 0,
                moved: false,
            };
            self.known.add(kind, limited, &account, entry);
        }
    }

    /// The ledger, and the last record that it has learnt for certain, if the head has it; `None` if a part is missing.
    pub fn finish(self) -> Option<(Ledger, Option<u64>)> {
        let Self { known, learnt, .. } = self;
        let metrics = known.metrics.clone();
        let known = known.into();
        self.ended.then_some((Ledger { known, metrics }, learnt))
    }
}
