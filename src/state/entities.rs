//! A bounded set of entities of one kind.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::facts::{Facts, Known, Things};
use crate::{
    access::Sight,
    event::{Kind, Object},
};

/// Entities by id, in the order of their ids.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Entities {
    /// Ordered, so that the same events give the same text.
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
    /// What was said of it.
    known: Known,
    /// By the clock: who was untouched longest goes first.
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

    /// The facts of an entity, to be changed by what is said of these things; it is there from now on.
    pub(super) fn change(&mut self, id: &str, about: &Things) -> Facts<'_> {
        self.clock += 1;
        if !self.by_id.contains_key(id) && self.by_id.len() >= self.max {
            self.evict();
        }
        let clock = self.clock;
        let entity = self.by_id.entry(id.to_owned()).or_insert_with(|| Entity {
            known: Known::default(),
            changed: clock,
        });
        entity.changed = clock;
        entity.known.change(about)
    }

    /// The facts of an entity, if there is one.
    pub(super) fn get(&self, id: &str) -> Option<&Object> {
        self.by_id.get(id).map(|entity| &entity.known.facts)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (&str, &Object)> {
        self.by_id
            .iter()
            .map(|(id, entity)| (id.as_str(), &entity.known.facts))
    }

    pub(super) fn evicted(&self) -> u64 {
        self.evicted
    }

    /// Those that may be seen and that `keep` keeps. They are things of `kind`; without one, what is said of them names them.
    pub(super) fn to_json(
        &self,
        sight: &Sight,
        kind: Option<Kind>,
        keep: impl Fn(&str, &Object) -> bool,
    ) -> Object {
        let seen = self.by_id.iter().filter_map(|(id, entity)| {
            let own = kind.map(|kind| (kind, id.as_str()));
            let seen = entity.known.seen(sight, own)?;
            keep(id, &seen).then(|| (id.clone(), Value::Object(seen)))
        });
        seen.collect()
    }

    /// An eighth goes in one walk: finished ones first, and of these and of the others those changed longest ago.
    fn evict(&mut self) {
        let rank = |entity: &Entity| (!is_finished(&entity.known.facts), entity.changed);
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
        Some("done" | "completed" | "failed" | "cancelled" | "deleted" | "offline")
    )
}
