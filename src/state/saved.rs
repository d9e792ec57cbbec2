//! The state as text, to go on from after a restart: a line for the head, and one for each entity.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::{
    Limits, State,
    entities::{Kept, Key, Map},
    entity::{Entity, Fact, Part},
};
use crate::access::Audience;

/// Of this form. A state of another one is not read, and folded from the journal again.
const VERSION: u32 = 3;

#[derive(Serialize, Deserialize)]
struct Head {
    stoa_state: u32,
    events: u64,
    decisions: u64,
    clock: u64,
}

/// One entity. The names are short: there are many of them.
#[derive(Serialize, Deserialize)]
struct Line {
    /// The number of its map.
    m: u8,
    /// Its id.
    i: String,
    /// Its project.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    p: Option<Arc<str>>,
    /// Its kind, if it is a run.
    #[serde(default)]
    k: u8,
    /// When it was first heard of, and last changed.
    b: u64,
    c: u64,
    /// Its parts: their audiences, and when they changed.
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

    fn restore(self, kept: &mut Kept) -> Option<()> {
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

impl State {
    /// The whole state as text, to go on from later.
    pub fn to_checkpoint(&self) -> String {
        let head = Head {
            stoa_state: VERSION,
            events: self.events,
            decisions: self.decisions,
            clock: self.kept.clock,
        };
        // Texts, numbers and maps with text keys: writing these can't fail.
        let mut out = serde_json::to_string(&head).unwrap_or_default();
        for map in Map::ALL {
            for (key, entity) in self.kept.store.map(map) {
                out.push('\n');
                let line = Line::of(map, key, entity);
                out.push_str(&serde_json::to_string(&line).unwrap_or_default());
            }
        }
        out
    }

    /// Reads the text that [`State::to_checkpoint`] wrote, and holds it to these limits; `None` if it is of another form.
    pub fn from_checkpoint(text: &str, limits: &Limits) -> Option<Self> {
        let mut lines = text.lines();
        let head: Head = serde_json::from_str(lines.next()?).ok()?;
        if head.stoa_state != VERSION {
            return None;
        }
        let mut kept = Kept::new(limits.clone());
        for line in lines {
            serde_json::from_str::<Line>(line)
                .ok()?
                .restore(&mut kept)?;
        }
        kept.clock = kept.clock.max(head.clock);
        kept.hold();
        Some(Self {
            kept,
            events: head.events,
            decisions: head.decisions,
        })
    }
}
