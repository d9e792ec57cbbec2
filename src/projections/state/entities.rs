//! All entities of the state, bounded in number and in bytes.
//!
//! The maps are persistent: a clone of them costs nothing and stays as it is while the state goes on (`Picture`).

use std::{
    collections::HashMap,
    ops::Bound,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use compact_str::CompactString;
use immutable_chunkmap::map::Map as ChunkMap;
use strum::{IntoStaticStr, VariantArray};

use super::{
    age::Age,
    entity::{Entity, Mask, long},
    facts::Facts,
    limits::{Dropped, Evicted, Limits},
};
use crate::{access::authz::Audience, event::ThingKind, projections::fair};

/// The maps of a snapshot, and the health.
#[derive(Debug, Clone, Copy, PartialEq, Eq, IntoStaticStr, VariantArray)]
#[strum(serialize_all = "lowercase")]
pub(super) enum Map {
    /// By project id (or by the board's, where Marcus names only that).
    Projects,
    /// By agent id.
    Agents,
    /// By task id.
    Tasks,
    /// Agent runs, workflow executions and ingest jobs.
    Runs,
    /// The latest health of the system, and of each project.
    Health,
    /// Questions to people: those that are open, and the last ones that are not.
    Inputs,
    /// Sums of tokens and costs: of a thing and an audience each. They are written with their things.
    Usage,
    /// By the id of the artifact, within its project.
    Artifacts,
    /// By the id of the plan, within its project: its items, which are tasks.
    Plans,
}

impl Map {
    pub(super) const ALL: &'static [Self] = Self::VARIANTS;

    /// Its name in a snapshot.
    pub(super) fn name(self) -> &'static str {
        self.into()
    }

    /// The kind of its things; entities of `Runs` name theirs themselves, and the others are of no thing that may have an
    /// owner.
    pub(super) fn kind(self) -> Option<ThingKind> {
        match self {
            Self::Projects => Some(ThingKind::Project),
            Self::Agents => Some(ThingKind::Agent),
            Self::Tasks => Some(ThingKind::Task),
            Self::Runs
            | Self::Health
            | Self::Inputs
            | Self::Usage
            | Self::Artifacts
            | Self::Plans => None,
        }
    }
}

/// The key of an entity in its map. Namesakes of other projects have keys of their own.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Key {
    /// The id that events name it by.
    pub(super) id: CompactString,
    /// Its project; none for a thing without one.
    pub(super) project: Option<Arc<str>>,
    /// The kind of a run, because runs of different kinds may have one id.
    pub(super) kind: u8,
}

impl Key {
    pub(super) fn new(id: &str, project: Option<Arc<str>>) -> Self {
        Self {
            id: id.into(),
            project,
            kind: 0,
        }
    }

    /// About how many bytes an entity holds with its key. A project's name is held once for all of its entities.
    fn weigh(&self, entity: &Entity) -> usize {
        entity.bytes() + long(&self.id)
    }
}

/// Bytes that a project's name and its entry in the accounts hold.
fn account_bytes(project: &Option<Arc<str>>) -> usize {
    const PLACE: usize = 64;
    project.as_ref().map_or(0, |project| project.len() + PLACE)
}

/// Entries of one chunk of a map: the first change after a picture was made copies so many of them.
const CHUNK: usize = 32;

/// The entities of one kind.
pub(super) type Entities = ChunkMap<Key, Arc<Entity>, CHUNK>;

/// The entities at one place of the stream. A clone costs nothing, and it stays as it is.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Store {
    maps: [Entities; Map::ALL.len()],
}

impl Store {
    pub(super) fn map(&self, map: Map) -> &Entities {
        &self.maps[map as usize]
    }

    /// The number of entities of all kinds.
    pub(super) fn len(&self) -> usize {
        self.maps.iter().map(Entities::len).sum()
    }

    /// The entities whose ids begin with this.
    pub(super) fn beginning(&self, map: Map, with: &str) -> impl Iterator<Item = (&Key, &Entity)> {
        let from = Key::new(with, None);
        let with = from.id.clone();
        let range = self.maps[map as usize].range((Bound::Included(from), Bound::Unbounded));
        range
            .take_while(move |(key, _)| key.id.starts_with(with.as_str()))
            .map(|(key, entity)| (key, &**entity))
    }

    /// The entities with one id, in the order of their projects.
    pub(super) fn namesakes(&self, map: Map, id: &str) -> impl Iterator<Item = (&Key, &Entity)> {
        let from = Key::new(id, None);
        let wanted = from.id.clone();
        let range = self.maps[map as usize].range((Bound::Included(from), Bound::Unbounded));
        range
            .take_while(move |(key, _)| key.id == wanted)
            .map(|(key, entity)| (key, &**entity))
    }
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
