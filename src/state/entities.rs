//! A bounded set of entities of one kind.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::event::{Object, json_len};

/// Facts of one entity; further ones are not taken, so that a producer with ever new keys can't grow one without end.
const MAX_KEYS: usize = 64;

/// Bytes of one fact: what is longer is in the history, but not in every snapshot.
const MAX_FACT: usize = 8 * 1024;

/// Entities by id, in the order of their ids.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Entities {
    by_id: BTreeMap<String, Entity>,
    /// How many are kept.
    max: usize,
    /// How many had to go.
    evicted: u64,
    /// Counts changes: tells which entity was changed longest ago.
    clock: u64,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Entity {
    facts: Object,
    changed: u64,
}

impl Entities {
    pub(super) fn new(max: usize) -> Self {
        Self {
            by_id: BTreeMap::new(),
            max: max.max(1),
            evicted: 0,
            clock: 0,
        }
    }

    /// The facts of an entity, to be changed; it is there from now on.
    pub(super) fn change(&mut self, id: &str) -> Facts<'_> {
        self.clock += 1;
        if !self.by_id.contains_key(id) && self.by_id.len() >= self.max {
            self.evict();
        }
        let clock = self.clock;
        let entity = self.by_id.entry(id.to_owned()).or_insert_with(|| Entity {
            facts: Object::new(),
            changed: clock,
        });
        entity.changed = clock;
        Facts(&mut entity.facts)
    }

    /// The facts of an entity, if there is one.
    pub(super) fn get(&self, id: &str) -> Option<&Object> {
        self.by_id.get(id).map(|entity| &entity.facts)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (&str, &Object)> {
        self.by_id
            .iter()
            .map(|(id, entity)| (id.as_str(), &entity.facts))
    }

    pub(super) fn evicted(&self) -> u64 {
        self.evicted
    }

    pub(super) fn to_json(&self, keep: impl Fn(&str, &Object) -> bool) -> Object {
        self.iter()
            .filter(|(id, facts)| keep(id, facts))
            .map(|(id, facts)| (id.to_owned(), Value::Object(facts.clone())))
            .collect()
    }

    /// An eighth goes in one walk: finished ones first, and of these and of the others those changed longest ago.
    fn evict(&mut self) {
        let rank = |entity: &Entity| (!is_finished(&entity.facts), entity.changed);
        let mut ranks: Vec<_> = self.by_id.values().map(rank).collect();
        ranks.sort_unstable();
        let Some(&last) = ranks.get((self.max / 8).max(1) - 1) else {
            return;
        };
        let before = self.by_id.len();
        self.by_id.retain(|_, entity| rank(entity) > last);
        self.evicted += (before - self.by_id.len()) as u64;
    }
}

fn is_finished(facts: &Object) -> bool {
    let status = facts.get("status").and_then(Value::as_str);
    matches!(
        status,
        Some("done" | "completed" | "failed" | "cancelled" | "offline")
    )
}

/// Whether a value is too much for the state: whoever needs it finds it in the history.
fn is_large(value: &Value) -> bool {
    match value {
        Value::String(text) => text.len() > MAX_FACT,
        Value::Array(_) | Value::Object(_) => json_len(value) > MAX_FACT,
        _ => false,
    }
}

/// The facts of one entity, within their bound.
#[derive(Debug)]
pub(super) struct Facts<'a>(pub(super) &'a mut Object);

impl Facts<'_> {
    /// Sets a fact.
    pub(super) fn set(&mut self, key: &str, value: impl Into<Value>) -> &mut Self {
        let value = value.into();
        let room = self.0.len() < MAX_KEYS || self.0.contains_key(key);
        if room && !is_large(&value) {
            self.0.insert(key.to_owned(), value);
        }
        self
    }

    /// Sets a fact if there is a value.
    pub(super) fn set_some(&mut self, key: &str, value: Option<impl Into<Value>>) -> &mut Self {
        if let Some(value) = value {
            self.set(key, value);
        }
        self
    }

    /// Lays all facts of `data` over these, but those.
    pub(super) fn lay_over(&mut self, data: &Object, but: &[&str]) -> &mut Self {
        for (key, value) in data {
            if !but.contains(&key.as_str()) {
                self.set(key, value.clone());
            }
        }
        self
    }

    /// Takes a fact away.
    pub(super) fn clear(&mut self, key: &str) -> &mut Self {
        self.0.remove(key);
        self
    }
}
