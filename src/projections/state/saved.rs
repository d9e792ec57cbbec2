//! The state as text for a restart: a line for the head, and one for each entity.

use std::{ops::Bound, sync::Arc};

use compact_str::CompactString;
use serde::{Deserialize, Serialize};

use super::{
    entities::Kept,
    entity::{Entity, Fact, Part},
    folded::State,
    given::given_key,
    limits::Limits,
    picture::Picture,
    store::{Key, Map},
};
use crate::access::authz::Audience;

/// The version of this form. A state of another one is not read: it is folded from the journal again.
const VERSION: u32 = 4;
/// The version in which an agent's tasks were one fact; it is read, too.
const LISTED: u32 = 3;

#[derive(Serialize)]
struct HeadOut {
    stoa_state: u32,
    events: u64,
    decisions: u64,
    clock: u64,
    entities: usize,
}

#[derive(Debug, Deserialize)]
struct HeadIn {
    stoa_state: u32,
    events: u64,
    decisions: u64,
    clock: u64,
    /// The number of lines that follow, to notice missing ones.
    entities: Option<usize>,
}

/// One entity. The names are short, because there are many of them.
#[derive(Serialize, Deserialize)]
struct Line {
    /// The number of its map.
    m: u8,
    /// Its id.
    i: String,
    /// Its project.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    p: Option<Arc<str>>,
    /// The kind of the run.
    #[serde(default)]
    k: u8,
    /// The state's clock at its first event and at its last change.
    b: u64,
    c: u64,
    /// Its parts: their audiences, and the clock at their last change.
    a: Vec<(Audience, u64)>,
    /// Its facts: key, value as JSON text, part.
    f: Vec<(String, String, u8)>,
}

impl Line {
    fn of(map: Map, key: &Key, entity: &Entity) -> Self {
        Self {
            m: map as u8,
            i: key.id.to_string(),
            p: key.project.clone(),
            k: key.kind,
            b: entity.born,
            c: entity.changed,
            a: entity
                .parts
                .iter()
                .map(|p| (p.about.clone(), p.changed))
                .collect(),
            f: entity
                .facts
                .iter()
                .map(|f| (f.key.to_string(), f.value.to_string(), f.part))
                .collect(),
        }
    }

    fn restore(self, kept: &mut Kept, version: u32) -> Option<()> {
        let map = *Map::ALL.get(usize::from(self.m))?;
        let key = Key {
            kind: self.k,
            ..Key::new(&self.i, self.p)
        };
        let mut entity = Entity::new(self.b);
        entity.changed = self.c;
        for (about, changed) in self.a {
            entity.parts.push(Part { about, changed });
        }
        entity.facts.reserve_exact(self.f.len());
        for (key, value, part) in self.f {
            if version == LISTED && map == Map::Agents && key == "task_ids" {
                let about = entity.parts.get(usize::from(part));
                let project = about.and_then(|part| part.about.project());
                let tasks: Vec<String> = serde_json::from_str(&value).unwrap_or_default();
                let given = tasks.iter().map(|task| Fact {
                    key: given_key(project, task).into(),
                    value: CompactString::const_new("true"),
                    part: part.min(15),
                });
                entity.facts.extend(given);
                continue;
            }
            entity.facts.push(Fact {
                key: key.into(),
                value: value.into(),
                part: part.min(15),
            });
        }
        kept.restore(map, key, entity);
        Some(())
    }
}

/// About how long one part of a saved state is.
const SAVED_PART_BYTES: usize = 1024 * 1024;

/// A picture as text, part by part: only one part is held beside the picture.
#[derive(Debug)]
pub(super) struct Saving {
    picture: Picture,
    /// The first line.
    head: Option<String>,
    /// The map that is being written, and the last key that was.
    map: usize,
    after: Option<Key>,
}

impl Saving {
    /// A picture of which no part is written yet.
    pub(super) fn new(picture: Picture) -> Self {
        let head = HeadOut {
            stoa_state: VERSION,
            events: picture.events,
            decisions: picture.decisions,
            clock: picture.clock,
            entities: picture.entities(),
        };
        Self {
            picture,
            // Writing numbers can't fail.
            head: Some(serde_json::to_string(&head).unwrap_or_default()),
            map: 0,
            after: None,
        }
    }
}

/// Each part ends at the end of a line.
impl Iterator for Saving {
    type Item = String;

    fn next(&mut self) -> Option<String> {
        let mut out = self.head.take().unwrap_or_default();
        while let Some(&map) = Map::ALL.get(self.map) {
            let from = self.after.take().map_or(Bound::Unbounded, Bound::Excluded);
            for (key, entity) in self.picture.store.map(map).range((from, Bound::Unbounded)) {
                if !out.is_empty() {
                    out.push('\n');
                }
                // Writing texts, numbers and maps with text keys can't fail.
                let line = Line::of(map, key, entity);
                out.push_str(&serde_json::to_string(&line).unwrap_or_default());
                if out.len() >= SAVED_PART_BYTES {
                    self.after = Some(key.clone());
                    return Some(out);
                }
            }
            self.map += 1;
        }
        (!out.is_empty()).then_some(out)
    }
}

/// Reads what [`Saving`] wrote, part by part.
#[derive(Debug)]
pub(super) struct Restoring {
    kept: Kept,
    head: Option<HeadIn>,
    /// The number of entities that were read.
    entities: usize,
}

impl Restoring {
    /// A state of which no part is read yet.
    pub(super) fn new(limits: &Limits) -> Self {
        Self {
            kept: Kept::new(limits.clone()),
            head: None,
            entities: 0,
        }
    }

    /// Reads one part; `None` if it is of another form.
    pub(super) fn read(&mut self, part: &str) -> Option<()> {
        for line in part.lines() {
            if self.head.is_none() {
                let head: HeadIn = serde_json::from_str(line).ok()?;
                if ![VERSION, LISTED].contains(&head.stoa_state) {
                    return None;
                }
                self.head = Some(head);
                continue;
            }
            let line: Line = serde_json::from_str(line).ok()?;
            let version = self.head.as_ref().map_or(VERSION, |head| head.stoa_state);
            line.restore(&mut self.kept, version)?;
            self.entities += 1;
        }
        Some(())
    }

    /// The state, held to the limits of now; `None` if a part of it is missing.
    pub(super) fn finish(mut self) -> Option<State> {
        let head = self.head?;
        if head.entities.is_some_and(|all| all != self.entities) {
            return None;
        }
        self.kept.clock = self.kept.clock.max(head.clock);
        self.kept.hold();
        Some(State {
            kept: self.kept,
            events: head.events,
            decisions: head.decisions,
        })
    }
}

impl State {
    /// The whole state as one text, for tests: the saved parts are never so long.
    pub fn to_checkpoint(&self) -> String {
        let parts: Vec<String> = Saving::new(self.picture()).collect();
        parts.join("\n")
    }

    /// Reads the text that [`State::to_checkpoint`] wrote, and holds it to these limits; `None` if it is of another form.
    pub fn from_checkpoint(text: &str, limits: &Limits) -> Option<Self> {
        let mut restoring = Restoring::new(limits);
        restoring.read(text)?;
        restoring.finish()
    }
}
