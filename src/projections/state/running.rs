//! Runs one by one, for clients that follow them: an agent's runs, a workflow's executions, ingest jobs.

use std::sync::Arc;

use super::{
    entity::{Entity, Mask},
    picture::Picture,
    runs::{AGENT_RUN, EXECUTION, JOB},
    store::{Key, Map},
    walk::Walk,
};
use crate::{access::authz::Permissions, event::ThingKind};

/// A run as one client may see it.
#[derive(Debug)]
pub struct Run {
    /// Its kind: `Run`, `Execution` or `Job`.
    pub kind: ThingKind,
    /// Its facts, as a JSON object.
    pub json: String,
}

/// The runs of a project that go on.
#[derive(Debug, Default)]
pub struct Running {
    /// Those that have room, the one that changed last at the end.
    pub runs: Vec<Run>,
    /// The number of those that have none.
    pub left_out: usize,
}

impl Picture {
    /// One run of a project; none if it is not known, or not to this client.
    pub fn run(
        &self,
        permissions: &Permissions,
        project: &str,
        (kind, id): (ThingKind, &str),
    ) -> Option<Run> {
        let key = Key {
            kind: number(kind)?,
            ..Key::new(id, Some(project.into()))
        };
        let entity = self.store.map(Map::Runs).get(&key)?;
        let mut walk = Walk::new(self.clone(), permissions.clone(), Some(project));
        let mask = walk.seen(Map::Runs, &key, entity)?;
        Some(written(&mut walk, &key, entity, mask))
    }

    /// The runs of a project that go on, as far as a client may see them. It looks at all runs, so it is no work for
    /// the loop. Of more than `max_bytes` those that were unchanged for longest are left out.
    pub fn running(&self, permissions: &Permissions, project: &str, max_bytes: usize) -> Running {
        let mut walk = Walk::new(self.clone(), permissions.clone(), Some(project));
        let runs = self.store.map(Map::Runs).into_iter();
        let seen = runs.filter(|(key, _)| key.project.as_deref() == Some(project));
        let seen = seen.filter_map(|(key, entity)| {
            let mask = walk.seen(Map::Runs, key, entity)?;
            (!entity.is_over(mask)).then_some((key, entity, mask))
        });
        let mut seen: Vec<(&Key, &Arc<Entity>, Mask)> = seen.collect();
        seen.sort_unstable_by_key(|(_, entity, _)| std::cmp::Reverse(entity.changed));
        let (mut running, mut bytes) = (Running::default(), 0);
        for (at, (key, entity, mask)) in seen.iter().enumerate() {
            let run = written(&mut walk, key, entity, *mask);
            bytes += run.json.len();
            if bytes > max_bytes {
                running.left_out = seen.len() - at;
                break;
            }
            running.runs.push(run);
        }
        running.runs.reverse();
        running
    }
}

fn written(walk: &mut Walk, key: &Key, entity: &Entity, mask: Mask) -> Run {
    let mut json = String::new();
    walk.entity(Map::Runs, key, entity, mask, &mut json);
    let kind = match key.kind {
        EXECUTION => ThingKind::Execution,
        JOB => ThingKind::Job,
        _ => ThingKind::Run,
    };
    Run { kind, json }
}

fn number(kind: ThingKind) -> Option<u8> {
    match kind {
        ThingKind::Run => Some(AGENT_RUN),
        ThingKind::Execution => Some(EXECUTION),
        ThingKind::Job => Some(JOB),
        _ => None,
    }
}
