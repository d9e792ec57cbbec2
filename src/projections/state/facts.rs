//! Changes to the facts of one entity, by one event and within bounds.

use compact_str::{CompactString, ToCompactString};
use serde_json::Value;

use super::{
    entity::{Entity, Fact, HIDDEN, Mask, UPDATED, is_before, moment},
    given::{MAX_TASKS, OWN, given_key, given_of, is_call, is_thought},
    limits::{Dropped, Limits},
};
use crate::{
    access::authz::Audience,
    event::Object,
    update::{Sums, joinable::MAX_FACT},
};

/// Bytes of all facts of one entity, beside short ones.
const MAX_ENTITY: usize = 64 * 1024;
/// A fact this short is always taken: long texts must not keep a status out.
const SHORT: usize = 256;

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

impl Entity {
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
}

impl Facts<'_> {
    pub(super) fn set(&mut self, key: &str, value: impl Into<Value>) -> &mut Self {
        let value = value.into();
        if key == UPDATED && self.is_later(UPDATED, &value) {
            return self;
        }
        let value = match value {
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

    /// Whether a fact is a later moment than this one.
    pub(super) fn is_later(&self, key: &str, than: &Value) -> bool {
        let moments = self.own(key).zip(than.as_str());
        moments.is_some_and(|(own, than)| moment(own) > moment(than))
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
                make_room(facts);
                facts.push(Fact {
                    key: key.to_compact_string(),
                    value,
                    part: self.part,
                });
            }
        }
    }

    /// Sets a fact that is the server's own and bounded by its maker, as JSON text.
    pub(super) fn set_whole(&mut self, key: &str, value: &str) -> &mut Self {
        self.put(self.position(key), key, value.to_compact_string());
        self
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

    /// Sets a moment that no event said yet, or only a later one: of events that come in any order the first one counts.
    pub(super) fn set_earliest(&mut self, key: &str, moment: String) -> &mut Self {
        if self.own(key).is_none_or(|known| is_before(&moment, known)) {
            self.set(key, moment);
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

    /// Forgets all that events about these things said, but these facts.
    pub(super) fn keep_only(&mut self, keys: &[&str]) {
        let part = self.part;
        let kept = |fact: &Fact| fact.part != part || keys.contains(&fact.key.as_str());
        self.entity.facts.retain(kept);
    }

    /// Forgets all that any event said.
    pub(super) fn begin_anew(&mut self) {
        self.entity.facts.clear();
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

    /// Notes a tool call of the agent; beyond the limit the one that began first is forgotten.
    pub(super) fn open(&mut self, key: &str, call: &str) {
        if self.note(key, call, is_call, self.limits.max_calls) {
            self.dropped.calls += 1;
        }
    }

    /// The same for a call of a model.
    pub(super) fn open_thought(&mut self, key: &str, call: &str) {
        if self.note(key, call, is_thought, self.limits.max_model_calls) {
            self.dropped.model_calls += 1;
        }
    }

    /// Notes a call of this kind. Returns whether another one was forgotten.
    fn note(&mut self, key: &str, call: &str, is_one: fn(&str) -> bool, most: usize) -> bool {
        if call.len() > MAX_FACT {
            self.dropped.long += 1;
            return false;
        }
        let before = self.position(key);
        let mine =
            |fact: &&Fact| fact.part == self.part && !fact.value.is_empty() && is_one(&fact.key);
        let mut calls = self.entity.facts.iter().filter(mine);
        let oldest = calls.next().map(|fact| fact.key.clone());
        let oldest = oldest.filter(|_| before.is_none() && calls.count() + 1 >= most);
        if let Some(oldest) = &oldest {
            self.take(oldest);
        }
        self.put(self.position(key), key, call.to_compact_string());
        oldest.is_some()
    }

    /// Adds to the sums under a key.
    pub(super) fn add(&mut self, key: &str, more: &Sums) {
        let before = self.position(key);
        let known = before.and_then(|at| serde_json::from_str(&self.entity.facts[at].value).ok());
        let mut sums = known.map(|known| Sums::read(&known)).unwrap_or_default();
        sums.add(more);
        self.put(before, key, sums.written().to_compact_string());
    }

    /// The key of a model's sums: one that has no room shares those of `others`.
    pub(super) fn room_for(
        &mut self,
        key: String,
        is_one: fn(&str) -> bool,
        others: String,
    ) -> String {
        let mine = |fact: &&Fact| fact.part == self.part && is_one(&fact.key);
        let known = self.position(&key).is_some();
        if known || self.entity.facts.iter().filter(mine).count() < self.limits.max_models {
            return key;
        }
        self.dropped.models += 1;
        others
    }

    /// Counts numbers of a model call that were left out.
    pub(super) fn left_out(&mut self, numbers: u64) {
        self.dropped.numbers += numbers;
    }

    /// Forgets the tool calls that `ends` names by key and value.
    pub(super) fn close(&mut self, ends: impl Fn(&str, &str) -> bool) {
        let facts = self.entity.facts.iter();
        let ended = facts.filter(|fact| !fact.value.is_empty() && ends(&fact.key, &fact.value));
        let mut keys: Vec<_> = ended.map(|fact| fact.key.clone()).collect();
        keys.dedup();
        for key in &keys {
            self.end(key, &ends);
        }
    }

    /// Covers what `ends` names of one call. A call of that id that others were told of since, and that is not meant, goes on.
    ///
    /// One list can't say everything of three audiences that use one id: a client that sees only two of them may be told of
    /// an end that was the third one's.
    fn end(&mut self, key: &str, ends: impl Fn(&str, &str) -> bool) {
        let (facts, own) = (&self.entity.facts, self.position(key));
        let is_it = |fact: &Fact| fact.key == key && !fact.value.is_empty();
        let meant = |fact: &Fact| is_it(fact) && ends(key, &fact.value);
        let Some(last) = facts.iter().rposition(meant) else {
            return;
        };
        // A later call of that id is known to those who see these events.
        if own.is_some_and(|own| own > last) {
            return;
        }
        let of_others = |fact: &Fact| fact.part != self.part && is_it(fact);
        let covers = facts[..=last].iter().any(of_others);
        let goes_on = facts.iter().any(of_others);
        let facts = &mut self.entity.facts;
        if covers {
            let cover = Fact {
                key: key.to_compact_string(),
                value: CompactString::default(),
                part: self.part,
            };
            make_room(facts);
            facts.insert(last + 1, cover);
        }
        if let Some(own) = own {
            facts.remove(own);
        }
        if !goes_on {
            facts.retain(|fact| fact.key != key);
        }
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

/// Makes room for a fact. Doubling would hold twice the memory that is needed.
fn make_room(facts: &mut Vec<Fact>) {
    if facts.len() == facts.capacity() {
        facts.reserve_exact(4.max(facts.len() / 4));
    }
}

/// Whether a text is the same in JSON, so that it is copied and not written byte by byte.
fn is_plain(text: &str) -> bool {
    text.bytes().all(|b| b >= b' ' && b != b'"' && b != b'\\')
}
