//! One entity: its facts as JSON text, and the audiences of the events that said them. A client that may not see these
//! events must not see their facts.

use std::{collections::HashSet, mem::size_of};

use compact_str::{CompactString, ToCompactString};
use serde_json::Value;
use smallvec::SmallVec;

use super::{
    given::{MAX_TASKS, OWN, given_key, given_of},
    limits::{Dropped, Limits},
};
use crate::{
    access::authz::{Audience, Permissions},
    event::{Object, ThingKind},
};

/// Bytes of one fact: a longer one is in the history, but not in every snapshot.
const MAX_FACT: usize = 8 * 1024;
/// Bytes of all facts of one entity, beside short ones.
const MAX_ENTITY: usize = 64 * 1024;
/// A fact this short is always taken: long texts must not keep a status out.
const SHORT: usize = 256;
/// Parts of one entity; beyond it the facts of the part that was unchanged for longest are shown only to clients that
/// see everything.
const MAX_PARTS: usize = 8;
/// The part of facts that are shown only to clients that see everything.
pub(super) const HIDDEN: u8 = 15;

/// The parts of an entity that a client may see, one bit each.
pub(super) type Mask = u16;

/// The known facts of one entity.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Entity {
    /// In the order in which they were last said: a later fact replaces an earlier one with the same key.
    pub(super) facts: Vec<Fact>,
    /// By the audience of the events; usually it is one project.
    pub(super) parts: SmallVec<[Part; 1]>,
    /// The state's clock at its first event: the first entity of an id has the id as its name.
    pub(super) born: u64,
    /// The state's clock at its last change: the entity that was unchanged for longest is evicted first.
    pub(super) changed: u64,
}

/// Bytes that a text holds beside itself.
pub(super) fn long(text: &CompactString) -> usize {
    const ALLOCATION: usize = 16;
    match text.is_heap_allocated() {
        true => text.capacity() + ALLOCATION,
        false => 0,
    }
}

/// One fact, said by events about the same things.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Fact {
    pub(super) key: CompactString,
    /// Its value as JSON text; empty if the fact was removed.
    pub(super) value: CompactString,
    pub(super) part: u8,
}

/// The events of one audience.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Part {
    /// Clients that are not in it don't see the facts.
    pub(super) about: Audience,
    /// The state's clock when one of its facts was last said.
    pub(super) changed: u64,
}

impl Entity {
    /// An entity without facts.
    pub(super) fn new(now: u64) -> Self {
        Self {
            facts: Vec::new(),
            parts: SmallVec::new(),
            born: now,
            changed: now,
        }
    }

    pub(super) fn bytes(&self) -> usize {
        // An entry of the map, with its part of the map's nodes, and the cost of the allocations.
        const PLACE: usize = 160;
        let facts = self.facts.capacity() * size_of::<Fact>();
        let texts: usize = self
            .facts
            .iter()
            .map(|f| long(&f.key) + long(&f.value))
            .sum();
        let things: usize = self.parts.iter().map(|part| part.about.held()).sum();
        size_of::<Self>() + PLACE + facts + texts + things + self.parts.len() * size_of::<Part>()
    }

    fn text_bytes(&self) -> usize {
        let texts = self.facts.iter();
        texts.map(|fact| fact.key.len() + fact.value.len()).sum()
    }

    /// The facts, to be changed by an event about these things.
    pub(super) fn change<'a>(
        &'a mut self,
        about: &Audience,
        now: u64,
        limits: &'a Limits,
        dropped: &'a mut Dropped,
    ) -> Facts<'a> {
        self.changed = now;
        let at = match self.parts.iter().position(|part| part.about == *about) {
            Some(at) => at,
            None => self.add_part(about.clone()),
        };
        self.parts[at].changed = now;
        Facts {
            part: u8::try_from(at).unwrap_or(HIDDEN),
            entity: self,
            limits,
            dropped,
        }
    }

    fn add_part(&mut self, about: Audience) -> usize {
        let part = Part { about, changed: 0 };
        if self.parts.len() < MAX_PARTS {
            self.parts.push(part);
            return self.parts.len() - 1;
        }
        let oldest = self.parts.iter().enumerate().min_by_key(|(_, p)| p.changed);
        let at = oldest.map_or(0, |(at, _)| at);
        self.parts[at] = part;
        let gone = u8::try_from(at).unwrap_or(HIDDEN);
        let hides = |fact: &Fact| fact.part == gone || fact.part == HIDDEN;
        // Of several facts with one key one is enough.
        let mut covered = self.covered(hides).into_iter();
        self.facts.retain(|_| !covered.next().unwrap_or(false));
        for fact in self.facts.iter_mut().filter(|fact| hides(fact)) {
            fact.part = HIDDEN;
        }
        at
    }

    /// Marks the facts that are covered by a later one with the same key, among those that count; the beginning of a
    /// run is covered by an earlier one.
    fn covered(&self, counts: impl Fn(&Fact) -> bool) -> Vec<bool> {
        let mut later = HashSet::with_capacity(self.facts.len());
        let mut covered = vec![false; self.facts.len()];
        for (fact, covered) in self.facts.iter().zip(&mut covered).rev() {
            *covered = counts(fact) && !later.insert(fact.key.as_str());
        }
        // The first one tells when a run began.
        let mut begun = false;
        for (fact, covered) in self.facts.iter().zip(&mut covered) {
            if fact.key == "started_at" && counts(fact) {
                *covered = std::mem::replace(&mut begun, true);
            }
        }
        covered
    }

    /// The parts of it that a client may see; none if it sees nothing. `own` is the thing that the entity is about.
    pub(super) fn seen(
        &self,
        permissions: &Permissions,
        own: Option<(ThingKind, &str)>,
    ) -> Option<Mask> {
        if permissions.is_everything() {
            return Some(Mask::MAX);
        }
        let mut mask = 0;
        for (at, part) in self.parts.iter().enumerate() {
            if permissions.may_see_audience(&part.about, own) {
                mask |= 1 << at;
            }
        }
        let any = self.facts.iter().any(|fact| fact.is_in(mask));
        any.then_some(mask)
    }

    /// The latest value of a fact that the mask shows, as JSON text.
    pub(super) fn get(&self, mask: Mask, key: &str) -> Option<&str> {
        let found = self.facts.iter().rev();
        let mut found = found.filter(|fact| fact.is_in(mask) && fact.key == key);
        let value = found.next()?.value.as_str();
        (!value.is_empty()).then_some(value)
    }

    /// The earliest value of a fact that the mask shows.
    pub(super) fn first(&self, mask: Mask, key: &str) -> Option<&str> {
        let mut facts = self.facts.iter();
        let found = facts.find(|fact| fact.is_in(mask) && fact.key == key)?;
        Some(&found.value)
    }

    /// The latest facts that the mask shows, each key once.
    pub(super) fn shown(&self, mask: Mask) -> impl Iterator<Item = (&str, &str)> {
        // A single part has each key once.
        let several = self.parts.len() > 1;
        let covered = several.then(|| self.covered(|fact| fact.is_in(mask)));
        let facts = self.facts.iter().enumerate();
        facts.filter_map(move |(at, fact)| {
            let covered = covered.as_ref().is_some_and(|covered| covered[at]);
            let shown = fact.is_in(mask) && !fact.value.is_empty() && !covered;
            shown.then_some((fact.key.as_str(), fact.value.as_str()))
        })
    }

    /// Whether events of this project changed it.
    pub(super) fn is_of(&self, project: &str) -> bool {
        self.parts
            .iter()
            .any(|part| part.about.project() == Some(project))
    }

    /// Whether it is finished, by its status.
    pub(super) fn is_finished(&self) -> bool {
        self.is_over(Mask::MAX)
    }

    /// Whether it is finished by what the mask shows.
    pub(super) fn is_over(&self, mask: Mask) -> bool {
        matches!(
            self.get(mask, "status").or(self.get(mask, "said_status")),
            Some(
                r#""done""#
                    | r#""completed""#
                    | r#""failed""#
                    | r#""cancelled""#
                    | r#""deleted""#
                    | r#""offline""#
            )
        )
    }
}

impl Fact {
    pub(super) fn is_in(&self, mask: Mask) -> bool {
        mask & (1 << self.part) != 0
    }
}

/// The facts of one entity, to be changed within their bounds.
#[derive(Debug)]
pub(super) struct Facts<'a> {
    entity: &'a mut Entity,
    /// The part of the event that changes them.
    part: u8,
    limits: &'a Limits,
    /// Counts the facts that are not taken.
    dropped: &'a mut Dropped,
}

impl Facts<'_> {
    pub(super) fn set(&mut self, key: &str, value: impl Into<Value>) -> &mut Self {
        let value = match value.into() {
            // The usual values without an allocation.
            Value::Null => CompactString::const_new("null"),
            Value::Bool(b) => b.to_compact_string(),
            Value::String(text) if is_plain(&text) => {
                let mut json = CompactString::with_capacity(text.len() + 2);
                json.push('"');
                json.push_str(&text);
                json.push('"');
                json
            }
            value => value.to_compact_string(),
        };
        self.set_text(key, value);
        self
    }

    fn set_text(&mut self, key: &str, value: CompactString) {
        if value.len() > MAX_FACT {
            self.dropped.long += 1;
            return;
        }
        let before = self.position(key);
        if before.is_none() {
            let mine = self.entity.facts.iter().filter(|f| f.part == self.part);
            if mine.count() >= self.limits.max_facts {
                self.dropped.many += 1;
                return;
            }
        }
        let replaced = before.map_or(0, |at| self.entity.facts[at].value.len());
        if value.len() > SHORT
            && value.len() > replaced
            && self.entity.text_bytes() - replaced + value.len() > MAX_ENTITY
        {
            self.dropped.full += 1;
            return;
        }
        self.put(before, key, value);
    }

    fn put(&mut self, before: Option<usize>, key: &str, value: CompactString) {
        let facts = &mut self.entity.facts;
        match before {
            Some(at) => {
                let mut fact = facts.remove(at);
                fact.value = value;
                facts.push(fact);
            }
            None => {
                // Doubling would hold twice the memory that is needed.
                if facts.len() == facts.capacity() {
                    facts.reserve_exact(4.max(facts.len() / 4));
                }
                facts.push(Fact {
                    key: key.to_compact_string(),
                    value,
                    part: self.part,
                });
            }
        }
    }

    fn position(&self, key: &str) -> Option<usize> {
        let mut facts = self.entity.facts.iter();
        facts.position(|fact| fact.part == self.part && fact.key == key)
    }

    pub(super) fn set_some(&mut self, key: &str, value: Option<impl Into<Value>>) -> &mut Self {
        if let Some(value) = value {
            self.set(key, value);
        }
        self
    }

    /// Sets a fact that no event said yet to the clients that see this one.
    pub(super) fn set_first(&mut self, key: &str, value: impl Into<Value>) -> &mut Self {
        if self.own(key).is_none() {
            self.set(key, value);
        }
        self
    }

    /// Lays all facts of `data` over these, except those of `but`.
    pub(super) fn lay_over(&mut self, data: &Object, but: &[&str]) -> &mut Self {
        for (key, value) in data {
            if !but.contains(&key.as_str()) && !key.starts_with(OWN) {
                let mut text = CompactString::default();
                // A value is JSON: writing it can't fail.
                if std::fmt::write(&mut text, format_args!("{value}")).is_ok() {
                    self.set_text(key, text);
                }
            }
        }
        self
    }

    pub(super) fn clear(&mut self, key: &str) -> &mut Self {
        let before = self.position(key);
        let elsewhere = |fact: &Fact| fact.part != self.part && fact.key == key;
        if self.entity.facts.iter().any(elsewhere) {
            self.put(before, key, CompactString::default());
        } else if let Some(at) = before {
            self.entity.facts.remove(at);
        }
        self
    }

    /// The value of a fact for all clients that see this event: its own part's, else that of events about no thing.
    pub(super) fn own(&self, key: &str) -> Option<&str> {
        let open = self.entity.parts.iter().enumerate();
        let open = open.filter(|(_, part)| part.about.is_open());
        let mask = open.fold(1 << self.part, |mask: Mask, (at, _)| mask | 1 << at);
        self.entity.get(mask, key)
    }

    /// Gives an agent a task; beyond the limit it loses the task that it has had for longest.
    pub(super) fn give(&mut self, project: Option<&str>, task: &str) {
        let key = given_key(project, task);
        let before = self.position(&key);
        let mine = |fact: &&Fact| {
            fact.part == self.part && !fact.value.is_empty() && given_of(&fact.key).is_some()
        };
        let mut given = self.entity.facts.iter().filter(mine);
        let oldest = given.next().map(|fact| fact.key.clone());
        if before.is_none() && given.count() + 1 >= MAX_TASKS {
            oldest.into_iter().for_each(|key| self.take(&key));
        }
        let before = self.position(&key);
        self.put(before, &key, CompactString::const_new("true"));
    }

    /// Takes a task of this project from an agent; without `task`, all of them.
    pub(super) fn take_back(&mut self, project: Option<&str>, task: Option<&str>) {
        let facts = self.entity.facts.iter();
        let given = facts.filter(|fact| !fact.value.is_empty());
        let given = given.filter(|fact| {
            given_of(&fact.key)
                .is_some_and(|(of, id)| of == project && task.is_none_or(|task| task == id))
        });
        let keys: Vec<_> = given.map(|fact| fact.key.clone()).collect();
        keys.iter().for_each(|key| self.take(key));
    }

    fn take(&mut self, key: &str) {
        let others = |fact: &Fact| fact.part != self.part && !fact.value.is_empty();
        if self.entity.facts.iter().any(|f| f.key == key && others(f)) {
            self.put(self.position(key), key, CompactString::default());
        } else {
            // No earlier fact is left to be covered.
            self.entity.facts.retain(|fact| fact.key != key);
        }
    }
}

/// Whether a text is the same in JSON, so that it is copied and not written byte by byte.
fn is_plain(text: &str) -> bool {
    text.bytes().all(|b| b >= b' ' && b != b'"' && b != b'\\')
}
