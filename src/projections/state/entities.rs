//! All entities of the state, bounded in number and in bytes.

use std::{
    collections::HashMap,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use super::{
    age::Age,
    entity::{Entity, Mask},
    facts::Facts,
    limits::{Dropped, Evicted, Limits},
    store::{Key, Map, Store},
};
use crate::{access::authz::Audience, projections::fair};

/// Bytes that a project's name and its entry in the accounts hold.
fn account_bytes(project: &Option<Arc<str>>) -> usize {
    const PLACE: usize = 64;
    project.as_ref().map_or(0, |project| project.len() + PLACE)
}

/// The entities that are changed by the stream, and what they hold.
#[derive(Debug)]
pub(super) struct Kept {
    /// The entities.
    pub(super) store: Store,
    /// A number for each change: it shows which entity was changed longest ago.
    pub(super) clock: u64,
    /// The bounds.
    limits: Limits,
    /// Bytes that all of them hold.
    bytes: usize,
    /// Bytes by project, and the number of its entities; a project without entities has no entry.
    usage: HashMap<Option<Arc<str>>, Usage>,
    /// Facts that were not taken.
    dropped: Dropped,
    /// Evicted entities, by map and by bound (count, bytes).
    evicted: [[u64; 2]; Map::ALL.len()],
    /// Bytes of entities that were replaced or removed while a picture still held them.
    replaced: Arc<AtomicU64>,
}

#[derive(Debug, Clone, Copy, Default, PartialEq)]
struct Usage {
    bytes: usize,
    entities: usize,
}

/// The bound for which entities are evicted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Bounded {
    /// This map has too many entities.
    Count(Map),
    /// All entities together hold too much.
    Bytes,
}

impl Kept {
    pub(super) fn new(limits: Limits) -> Self {
        Self {
            store: Store::default(),
            clock: 0,
            limits,
            bytes: 0,
            usage: HashMap::new(),
            dropped: Dropped::default(),
            evicted: Default::default(),
            replaced: Arc::default(),
        }
    }

    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    pub(super) fn age(&self) -> Age {
        let most = (self.limits.max_bytes / 4) as u64;
        Age::new(self.replaced.clone(), most)
    }

    pub(super) fn dropped(&self) -> Dropped {
        self.dropped
    }

    /// The most entities of a map.
    fn most(&self, map: Map) -> usize {
        match map {
            Map::Inputs => self.limits.max_inputs,
            Map::Artifacts => self.limits.max_artifacts,
            _ => self.limits.max_entities,
        }
    }

    /// Counts a thing whose id is too long to be kept.
    pub(super) fn was_too_long(&mut self) {
        self.dropped.long += 1;
    }

    /// The numbers of evicted entities, by kind and bound.
    pub(super) fn evicted(&self) -> impl Iterator<Item = Evicted> + use<> {
        let evicted = self.evicted;
        Map::ALL.iter().flat_map(move |&map| {
            let [count, bytes] = evicted[map as usize];
            [("count", count), ("bytes", bytes)].map(|(reason, entities)| Evicted {
                kind: map.name(),
                reason,
                entities,
            })
        })
    }

    /// The most items of one plan.
    pub(super) fn most_items(&self) -> usize {
        self.limits.max_plan_items
    }

    /// Counts items of a plan that are not taken.
    pub(super) fn leave_out(&mut self, items: u64) {
        self.dropped.items += items;
    }

    /// The latest value of a fact, whoever may see it, as JSON text.
    pub(super) fn get(&self, map: Map, key: &Key, fact: &str) -> Option<&str> {
        self.store.map(map).get(key)?.get(Mask::MAX, fact)
    }

    /// The one copy of a project's name.
    pub(super) fn project(&self, name: &Arc<str>) -> Arc<str> {
        let name = Some(name.clone());
        let known = self.usage.get_key_value(&name);
        let known = known.and_then(|(known, _)| known.clone());
        known.or(name).unwrap_or_default()
    }

    /// Changes an entity by the facts of an event about these things; creates it if it is not there.
    pub(super) fn change(
        &mut self,
        map: Map,
        key: Key,
        about: &Audience,
        change: impl FnOnce(&mut Facts<'_>),
    ) {
        self.clock += 1;
        let new = self.store.map(map).get(&key).is_none();
        if new && self.store.map(map).len() >= self.most(map) {
            self.evict(Bounded::Count(map));
        }
        let mut fresh = Arc::new(Entity::new(self.clock));
        let entity = match self.store.maps[map as usize].get_mut_cow(&key) {
            Some(entity) => entity,
            None => &mut fresh,
        };
        let before = if new { 0 } else { key.weigh(entity) };
        if Arc::strong_count(entity) > 1 {
            self.replaced.fetch_add(before as u64, Ordering::Relaxed);
        }
        let changed = Arc::make_mut(entity);
        change(&mut changed.change(about, self.clock, &self.limits, &mut self.dropped));
        let after = key.weigh(changed);
        self.account(&key.project, before, after, usize::from(new));
        if new {
            self.store.maps[map as usize].insert_cow(key, fresh);
        }
        if self.bytes > self.limits.max_bytes {
            self.evict(Bounded::Bytes);
        }
    }

    /// Gives an entity without a project to this one, if it is known.
    pub(super) fn adopt(&mut self, map: Map, before: Key, project: &Arc<str>) {
        if let Some(entity) = self.store.maps[map as usize].remove_cow(&before) {
            let key = Key {
                project: Some(project.clone()),
                ..before
            };
            // A plan may have had a task of that name in the project.
            self.remove(map, &key);
            let bytes = key.weigh(&entity);
            self.forget(&None, bytes);
            self.account(&key.project, 0, bytes, 1);
            self.store.maps[map as usize].insert_cow(key, entity);
        }
    }

    /// Takes an entity over from a saved state.
    pub(super) fn restore(&mut self, map: Map, key: Key, entity: Entity) {
        let bytes = key.weigh(&entity);
        let project = key.project.as_ref().map(|name| self.project(name));
        let key = Key { project, ..key };
        self.account(&key.project, 0, bytes, 1);
        self.clock = self.clock.max(entity.changed);
        self.store.maps[map as usize].insert_cow(key, Arc::new(entity));
    }

    /// Evicts restored entities that exceed the bounds.
    pub(super) fn hold(&mut self) {
        for &map in Map::ALL {
            if self.store.map(map).len() > self.most(map) {
                self.evict(Bounded::Count(map));
            }
        }
        if self.bytes > self.limits.max_bytes {
            self.evict(Bounded::Bytes);
        }
    }

    fn account(&mut self, project: &Option<Arc<str>>, before: usize, after: usize, new: usize) {
        self.bytes = self.bytes + after - before;
        if let Some(usage) = self.usage.get_mut(project) {
            usage.bytes = usage.bytes + after - before;
            usage.entities += new;
        } else {
            let usage = Usage {
                bytes: after,
                entities: new,
            };
            self.bytes += account_bytes(project);
            self.usage.insert(project.clone(), usage);
        }
    }

    fn forget(&mut self, project: &Option<Arc<str>>, bytes: usize) {
        self.bytes -= bytes;
        if let Some(usage) = self.usage.get_mut(project) {
            usage.bytes -= bytes;
            usage.entities -= 1;
            if usage.entities == 0 {
                self.bytes -= account_bytes(project);
                self.usage.remove(project);
            }
        }
    }

    /// Evicts an eighth in one walk: entities of the projects that hold most, so that no project makes the state forget
    /// another's. Finished entities go first, and among equals those that were changed longest ago.
    fn evict(&mut self, bounded: Bounded) {
        let maps = match bounded {
            Bounded::Count(map) => vec![map],
            Bounded::Bytes => Map::ALL.to_vec(),
        };
        let most = match bounded {
            Bounded::Count(map) => self.most(map),
            Bounded::Bytes => self.limits.max_bytes,
        };
        let weight = |key: &Key, entity: &Entity| match bounded {
            Bounded::Count(_) => 1,
            Bounded::Bytes => key.weigh(entity),
        };
        let (mut ranked, mut total) = (Vec::new(), 0);
        for &map in &maps {
            for (key, entity) in self.store.map(map) {
                let weight = weight(key, entity);
                total += weight;
                let rank = (!entity.is_finished(), entity.changed);
                ranked.push((rank, (&key.project, weight, (map, key))));
            }
        }
        ranked.sort_unstable_by_key(|(rank, _)| *rank);
        // The names of projects are held beside the entities, and go with the last one.
        let names = match bounded {
            Bounded::Count(_) => 0,
            Bounded::Bytes => self.bytes - total,
        };
        let target = (most - (most / 8).clamp(1, most)).saturating_sub(names);
        let ranked = ranked.into_iter().map(|(_, ranked)| ranked).collect();
        let going = fair::leaving(ranked, target).into_iter();
        let going: Vec<_> = going.map(|(map, key)| (map, key.clone())).collect();
        let bound = usize::from(bounded == Bounded::Bytes);
        for (map, key) in going {
            if self.remove(map, &key) {
                self.evicted[map as usize][bound] += 1;
            }
        }
    }

    /// Forgets an entity, if it is known.
    pub(super) fn remove(&mut self, map: Map, key: &Key) -> bool {
        let Some(entity) = self.store.maps[map as usize].remove_cow(key) else {
            return false;
        };
        let bytes = key.weigh(&entity);
        if Arc::strong_count(&entity) > 1 {
            self.replaced.fetch_add(bytes as u64, Ordering::Relaxed);
        }
        self.forget(&key.project, bytes);
        true
    }
}
