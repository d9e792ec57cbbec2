//! The health of the system and of its projects, as a client may see it.

use std::sync::Arc;

use super::{
    entity::{Entity, Mask},
    json::key,
    picture::Picture,
    store::{Key, Map},
};
use crate::{access::authz::Permissions, event::ThingKind};

/// Writes the health of the system, and of each project whose limited producers report it.
pub(super) fn write(
    picture: &Picture,
    permissions: &Permissions,
    project: Option<&Arc<str>>,
    out: &mut String,
) {
    let health = picture.store.map(Map::Health);
    let seen = |key: &Key, entity: &Entity| {
        let own = key.project.as_deref().map(|p| (ThingKind::Project, p));
        entity.seen(permissions, own)
    };
    let facts = |entity: &Entity, mask: Mask, out: &mut String| {
        for (name, value) in entity.shown(mask) {
            key(out, name);
            out.push_str(value);
        }
    };
    out.push('{');
    let own = project.map(|p| Key::new("", Some(p.clone())));
    let own = own.and_then(|key| Some((health.get(&key)?, key)));
    let own = own.and_then(|(entity, key)| Some((entity, seen(&key, entity)?)));
    let all = Key::new("", None);
    let all = health.get(&all).and_then(|h| Some((h, seen(&all, h)?)));
    if let Some((entity, mask)) = own.or(all) {
        facts(entity, mask, out);
    }
    let others = health
        .into_iter()
        .filter(|(key, _)| key.project.is_some() && project.is_none());
    let mut any = false;
    for (k, entity) in others {
        let (Some(project), Some(mask)) = (&k.project, seen(k, entity)) else {
            continue;
        };
        if !any {
            key(out, "projects");
            out.push('{');
            any = true;
        }
        key(out, project);
        out.push('{');
        facts(entity, mask, out);
        out.push('}');
    }
    if any {
        out.push('}');
    }
    out.push('}');
}
