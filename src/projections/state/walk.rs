//! Writes the state that one client may see, entity by entity: all of it, or in chunks that are made on demand.

use std::{collections::HashSet, ops::Bound, sync::Arc};

use serde_json::{Value, json};

use super::{
    agent::Agent,
    entity::{Entity, Mask},
    given::{ASKER_HOME, OWN},
    health,
    json::{self, field, text},
    names,
    picture::Picture,
    questions,
    store::{Key, Map},
    usage,
};
use crate::{access::authz::Permissions, timestamp::Timestamp};

/// The maps of a snapshot, in the order in which they are written.
const WRITTEN: [Map; 6] = [
    Map::Projects,
    Map::Agents,
    Map::Tasks,
    Map::Runs,
    Map::Inputs,
    Map::Artifacts,
];

/// A walk over a picture with the permissions of one client. A clone goes on from the same place.
#[derive(Debug, Clone)]
pub struct Walk {
    picture: Picture,
    permissions: Permissions,
    /// The project that was asked for; none for all of them.
    project: Option<Arc<str>>,
    /// The map that it is in, as a place in [`WRITTEN`].
    at: usize,
    /// The last entity that it passed.
    after: Option<Key>,
    /// The first entity of the present id: the id alone is its name.
    first: Option<Key>,
    /// The last entity with its project in its name.
    qualified: Option<Key>,
    /// The counts so far.
    counts: Counts,
    /// The agents with an open question that the client sees, found when the first agent is written.
    asking: Option<Arc<HashSet<Key>>>,
}

#[derive(Debug, Clone, Default)]
struct Counts {
    /// Entities written, by map.
    entities: [u64; WRITTEN.len()],
    /// Tasks by status.
    tasks: [u64; STATUSES.len()],
}

const STATUSES: [&str; 4] = ["todo", "in_progress", "blocked", "done"];

/// Entities of a snapshot, each map's as the text between its braces.
#[derive(Debug, Default)]
pub(super) struct Chunk {
    maps: [String; WRITTEN.len()],
}

impl Chunk {
    fn len(&self) -> usize {
        self.maps.iter().map(String::len).sum()
    }
}

/// The fields around the entities.
#[derive(Debug, Clone, Copy)]
pub(super) struct Frame<'a> {
    pub(super) now: Timestamp,
    /// The number of the part and of all parts, if there are several.
    pub(super) part: Option<(usize, usize)>,
    pub(super) counts: &'a Value,
    /// The cursor, on the last part only.
    pub(super) cursor: Option<&'a str>,
}

impl Walk {
    /// A walk that begins at the first entity.
    pub fn new(picture: Picture, permissions: Permissions, project: Option<&str>) -> Self {
        Self {
            picture,
            permissions,
            project: project.map(Arc::from),
            at: 0,
            after: None,
            first: None,
            qualified: None,
            counts: Counts::default(),
            asking: None,
        }
    }

    /// Writes all of it as one JSON object.
    pub fn whole(mut self, cursor: &str, now: Timestamp) -> String {
        let chunk = self.chunk(usize::MAX);
        let counts = self.counts();
        let frame = Frame {
            now,
            part: None,
            counts: &counts,
            cursor: Some(cursor),
        };
        self.framed(&chunk, &frame)
    }

    /// Whether no more entity comes; otherwise the walk is before the next visible one.
    pub(super) fn is_over(&self) -> bool {
        let mut ahead = self.clone();
        let mut nowhere = String::new();
        !ahead.next(|_, _| &mut nowhere)
    }

    /// The beginning of a text, up to the first map.
    pub(super) fn head(&self, now: Timestamp, out: &mut String) {
        out.push('{');
        let now = now.to_string();
        field(out, "type", &"snapshot".into());
        field(out, "server_time", &now.as_str().into());
        field(out, "timestamp", &now.into());
    }

    /// Ends the maps before `at` and begins it, unless it is begun.
    pub(super) fn begin(out: &mut String, begun: &mut usize, at: usize) {
        while *begun <= at {
            if *begun > 0 {
                out.push('}');
            }
            if let Some(map) = WRITTEN.get(*begun) {
                json::key(out, map.name());
                out.push('{');
            }
            *begun += 1;
        }
    }

    /// The end of a text, after all entities.
    pub(super) fn tail(&self, mut begun: usize, cursor: &str, out: &mut String) {
        Self::begin(out, &mut begun, WRITTEN.len());
        json::key(out, "health");
        self.health(out);
        field(out, "counts", &self.counts());
        field(out, "cursor", &cursor.into());
        out.push('}');
    }

    /// The next entities, of about this many bytes.
    pub(super) fn chunk(&mut self, bytes: usize) -> Chunk {
        let mut chunk = Chunk::default();
        while chunk.len() < bytes && self.next(|at, _| &mut chunk.maps[at]) {}
        chunk
    }

    /// A snapshot's JSON object around some entities.
    pub(super) fn framed(&self, chunk: &Chunk, frame: &Frame<'_>) -> String {
        let mut out = String::with_capacity(chunk.len() + 1024);
        self.head(frame.now, &mut out);
        if let Some((part, parts)) = frame.part {
            field(&mut out, "part", &part.into());
            field(&mut out, "parts", &parts.into());
        }
        for (map, entities) in WRITTEN.into_iter().zip(&chunk.maps) {
            json::key(&mut out, map.name());
            out.push('{');
            out.push_str(entities);
            out.push('}');
        }
        json::key(&mut out, "health");
        match frame.part {
            None | Some((1, _)) => {
                self.health(&mut out);
            }
            Some(_) => out.push_str("{}"),
        }
        field(&mut out, "counts", frame.counts);
        if let Some(cursor) = frame.cursor {
            field(&mut out, "cursor", &cursor.into());
        }
        out.push('}');
        out
    }

    /// The counts of the entities that it passed.
    pub(super) fn counts(&self) -> Value {
        let mut counts = json!({});
        for (map, count) in WRITTEN.into_iter().zip(self.counts.entities) {
            counts[map.name()] = count.into();
        }
        for (status, count) in STATUSES.into_iter().zip(self.counts.tasks) {
            counts[format!("tasks_{status}")] = count.into();
        }
        // A client must not learn the number of entities that it may not see.
        if self.permissions.is_everything() {
            counts["events"] = self.picture.events.into();
            counts["decisions"] = self.picture.decisions.into();
            counts["evicted"] = self.picture.evicted.into();
        }
        counts
    }

    /// Writes the next visible entity, with its name, to `out`; false at the end.
    pub(super) fn next<'o>(&mut self, out: impl FnOnce(usize, Map) -> &'o mut String) -> bool {
        while let Some(&map) = WRITTEN.get(self.at) {
            let from = self
                .after
                .as_ref()
                .map_or(Bound::Unbounded, Bound::Excluded);
            let range: (Bound<&Key>, Bound<&Key>) = (from, Bound::Unbounded);
            let next = self.picture.store.map(map).range::<Key, _>(range).next();
            let Some((key, entity)) = next.map(|(key, entity)| (key.clone(), entity.clone()))
            else {
                self.at += 1;
                (self.after, self.first, self.qualified) = (None, None, None);
                continue;
            };
            self.after = Some(key.clone());
            let Some(mask) = self.seen(map, &key, &entity) else {
                continue;
            };
            let name = self.name(map, &key);
            self.counts.entities[self.at] += 1;
            let out = out(self.at, map);
            if !out.is_empty() && !out.ends_with('{') {
                out.push(',');
            }
            text(out, &name);
            out.push(':');
            self.entity(map, &key, &entity, mask, out);
            return true;
        }
        false
    }

    /// The mask of an entity's facts that are to be written; none if the entity is not.
    pub(super) fn seen(&self, map: Map, key: &Key, entity: &Entity) -> Option<Mask> {
        if let Some(project) = &self.project {
            let own = key.project.as_ref() == Some(project);
            let works = map == Map::Agents && key.project.is_none() && entity.is_of(project);
            if !own && !works {
                return None;
            }
        }
        let mask = entity.seen(
            &self.permissions,
            map.kind().map(|kind| (kind, key.id.as_str())),
        )?;
        // Of questions a client is shown the open ones.
        (map != Map::Inputs || questions::is_open(entity, mask)).then_some(mask)
    }

    /// The agents with an open question.
    fn asking(&mut self) -> Arc<HashSet<Key>> {
        let found = self.asking.get_or_insert_with(|| {
            let asking = questions::askers(&self.picture.store, &self.permissions);
            Arc::new(asking)
        });
        found.clone()
    }

    /// The name of an entity: its id; for a later one of the same id, or if the id is another's name, the project and
    /// the id.
    fn name(&mut self, map: Map, key: &Key) -> String {
        if self.first.as_ref().is_none_or(|first| first.id != key.id) {
            let namesakes = self.picture.store.namesakes(map, &key.id);
            let seen = namesakes.filter(|(k, entity)| self.seen(map, k, entity).is_some());
            let first = seen.min_by_key(|(_, entity)| entity.born);
            self.first = first.map(|(key, _)| key.clone());
            self.qualified = None;
        }
        if self.first.as_ref() == Some(key) && !self.is_anothers(map, &key.id) {
            return key.id.to_string();
        }
        let again = self.qualified.as_ref();
        let again = again.is_some_and(|q| q.id == key.id && q.project == key.project);
        self.qualified = Some(key.clone());
        names::qualified(key, again)
    }

    /// Whether this id reads as the qualified name of another visible thing.
    fn is_anothers(&self, map: Map, id: &str) -> bool {
        // Projects have no namesakes.
        map != Map::Projects
            && id.contains('/')
            && names::named(id).any(|key| {
                let other = self.picture.store.map(map).get(&key);
                other.is_some_and(|entity| self.seen(map, &key, entity).is_some())
            })
    }

    /// Writes an entity's JSON object.
    pub(super) fn entity(
        &mut self,
        map: Map,
        key: &Key,
        entity: &Entity,
        mask: Mask,
        out: &mut String,
    ) {
        out.push('{');
        field(out, "id", &key.id.as_str().into());
        let project = match map {
            Map::Projects => Some(key.id.as_str()),
            _ => key.project.as_deref(),
        };
        field(out, "project_id", &project.into());
        let said = ["id", "project_id", "usage"];
        let mut status = None;
        for (name, value) in entity.shown(mask) {
            let derived = name.starts_with(OWN)
                || map == Map::Inputs && name == "agent_project_id"
                || (map == Map::Agents
                    && matches!(
                        name,
                        "said_status" | "status" | "tool" | "tool_calls" | "thinking"
                    ));
            if said.contains(&name) || derived {
                continue;
            }
            if name == "status" {
                status = Some(value);
            }
            json::key(out, name);
            out.push_str(value);
        }
        if map == Map::Agents {
            let asks = self.asking().contains(key);
            let agent = Agent::of(entity, mask, &self.picture.store, &self.permissions, asks);
            for (name, value) in agent.fields(key.project.is_none()) {
                field(out, name, &value);
            }
        }
        if map == Map::Inputs && entity.get(mask, "agent_id").is_some() {
            json::key(out, "agent_project_id");
            out.push_str(entity.get(mask, ASKER_HOME).unwrap_or("null"));
        }
        let (store, project) = (&self.picture.store, self.project.as_deref());
        if let Some(usage) = usage::shown(store, (map, key), &self.permissions, project) {
            field(out, "usage", &usage.into());
        }
        if map == Map::Tasks
            && let Some(status) = status
        {
            let found = STATUSES.iter().position(|s| status.trim_matches('"') == *s);
            if let Some(at) = found {
                self.counts.tasks[at] += 1;
            }
        }
        out.push('}');
    }

    fn health(&self, out: &mut String) {
        let project = self.project.as_ref();
        health::write(&self.picture, &self.permissions, project, out);
    }
}
