//! One entity: its facts as JSON text, and the audiences of the events that said them. A client that may not see these
//! events must not see their facts.

use std::{collections::HashSet, mem::size_of};

use compact_str::CompactString;
use smallvec::SmallVec;

use crate::{
    access::authz::{Audience, Permissions},
    event::ThingKind,
};

/// Parts of one entity; beyond it the facts of the part that was unchanged for longest are shown only to clients that
/// see everything.
const MAX_PARTS: usize = 8;
/// The part of facts that are shown only to clients that see everything.
pub(super) const HIDDEN: u8 = 15;

/// The parts of an entity that a client may see, one bit each.
pub(super) type Mask = u16;

/// The time of the last event about an entity. It never goes back: of spans that come in any order, the last one counts.
pub(super) const UPDATED: &str = "updated_at";

/// The last hand-off of an agent, and its time: it counts with the latest one.
const HANDED: [&str; 2] = ["handed_to", "handed_at"];

/// The time of the first event about a run, or what its events say of it.
pub(super) const STARTED: &str = "started_at";

/// A moment as it is written, to be compared: all are written in one way, the shorter without what is zero.
pub(super) fn moment(text: &str) -> &str {
    text.trim_matches('"').trim_end_matches('Z')
}

/// Whether one time is before another, as far as both are times; what else a producer says can't be compared.
pub(super) fn is_before(one: &str, other: &str) -> bool {
    let time = |text: &str| text.trim_matches('"').parse::<jiff::Timestamp>().ok();
    time(one)
        .zip(time(other))
        .is_some_and(|(one, other)| one < other)
}

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

    pub(super) fn text_bytes(&self) -> usize {
        let texts = self.facts.iter();
        texts.map(|fact| fact.key.len() + fact.value.len()).sum()
    }

    /// Adds a part about these things, in the place of the one that was unchanged for longest if there are too many.
    pub(super) fn add_part(&mut self, about: Audience) -> usize {
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
        // The earliest one tells when a run began.
        let begun = self.earliest(STARTED, &counts);
        for (at, fact) in self.facts.iter().enumerate() {
            if fact.key == STARTED && counts(fact) {
                covered[at] = begun != Some(at);
            }
        }
        // The latest moment tells when it changed, in whatever order its parts were told.
        self.cover_but_latest(UPDATED, &[UPDATED], &counts, &mut covered);
        self.cover_but_latest(HANDED[1], &HANDED, &counts, &mut covered);
        covered
    }

    /// Marks these facts as covered in all parts but the one that tells the latest moment.
    fn cover_but_latest(
        &self,
        moment_key: &str,
        keys: &[&str],
        counts: impl Fn(&Fact) -> bool,
        covered: &mut [bool],
    ) {
        let told = self.facts.iter();
        let told = told.filter(|fact| fact.key == moment_key && counts(fact));
        let Some(latest) = told.max_by_key(|fact| moment(&fact.value)) else {
            return;
        };
        for (fact, covered) in self.facts.iter().zip(covered) {
            if keys.contains(&fact.key.as_str()) && counts(fact) {
                *covered = fact.part != latest.part;
            }
        }
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

    /// The place of the earliest time that facts with this key tell, among those that count.
    fn earliest(&self, key: &str, counts: impl Fn(&Fact) -> bool) -> Option<usize> {
        let facts = self.facts.iter().enumerate();
        let told = facts.filter(|(_, fact)| fact.key == key && counts(fact));
        let earlier = told.reduce(|known, one| match is_before(&one.1.value, &known.1.value) {
            true => one,
            false => known,
        });
        earlier.map(|(at, _)| at)
    }

    /// The mask of the parts whose audience is one of these.
    pub(super) fn mask(&self, sees: impl Fn(&Audience) -> bool) -> Mask {
        let parts = self.parts.iter().enumerate();
        let seen = parts.filter(|(_, part)| sees(&part.about));
        seen.fold(0, |mask, (at, _)| mask | 1 << at)
    }

    /// All facts that the mask shows, those of one key once for each part.
    pub(super) fn all(&self, mask: Mask) -> impl Iterator<Item = (&str, &str)> {
        let facts = self.facts.iter().filter(move |fact| fact.is_in(mask));
        facts.map(|fact| (fact.key.as_str(), fact.value.as_str()))
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
                    | r#""received""#
                    | r#""expired""#
            )
        )
    }
}

impl Fact {
    pub(super) fn is_in(&self, mask: Mask) -> bool {
        mask & (1 << self.part) != 0
    }
}
