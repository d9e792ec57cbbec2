//! The maps of entities, and the keys in them.
//!
//! The maps are persistent: a clone of them costs nothing and stays as it is while the state goes on (`Picture`).

use std::{ops::Bound, sync::Arc};

use compact_str::CompactString;
use immutable_chunkmap::map::Map as ChunkMap;
use strum::{IntoStaticStr, VariantArray};

use super::entity::{Entity, long};
use crate::event::ThingKind;

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
    pub(super) fn weigh(&self, entity: &Entity) -> usize {
        entity.bytes() + long(&self.id)
    }
}

/// Entries of one chunk of a map: the first change after a picture was made copies so many of them.
const CHUNK: usize = 32;

/// The entities of one kind.
pub(super) type Entities = ChunkMap<Key, Arc<Entity>, CHUNK>;

/// The entities at one place of the stream. A clone costs nothing, and it stays as it is.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Store {
    pub(super) maps: [Entities; Map::ALL.len()],
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
