//! The names of entities in a snapshot: `{id}`, or `{project}/{id}` if the id alone is another's name.
//!
//! A qualified name holds `%` and `/` of its parts percent-encoded, so two things never have the same name. An id may
//! be written as the qualified name of another thing; then the thing of that id is qualified too.

use std::sync::Arc;

use super::{
    runs::{AGENT_RUN, JOB, run_kind, run_of},
    store::Key,
};
use crate::projections::qualified::{escaped, plain};

/// The name of a thing with its project in it. `kind` adds the kind of a run, for runs that have both in common.
pub(super) fn qualified(key: &Key, kind: bool) -> String {
    let mut name = escaped(key.project.as_deref().unwrap_or_default());
    name.push('/');
    if kind {
        name.push_str(run_kind(key.kind));
        name.push('/');
    }
    name + &escaped(&key.id)
}

/// The keys of the things whose qualified name reads as this id, whether or not they exist.
pub(super) fn named(id: &str) -> impl Iterator<Item = Key> {
    let mut parts = id.split('/');
    let read = match [parts.next(), parts.next(), parts.next(), parts.next()] {
        [Some(project), Some(thing), None, None] => Some((project, None, thing)),
        [Some(project), Some(kind), Some(thing), None] => Some((project, Some(kind), thing)),
        _ => None,
    };
    let keys = read.map(|(project, kind, thing)| {
        let project = plain(project);
        let project: Option<Arc<str>> = (!project.is_empty()).then(|| project.into());
        let thing = Key::new(&plain(thing), project);
        let kinds = kind.map_or(AGENT_RUN..=JOB, |kind| run_of(kind)..=run_of(kind));
        kinds.map(move |kind| Key {
            kind,
            ..thing.clone()
        })
    });
    // A part that is written in another way than names are is in no name.
    let same =
        move |key: &Key| qualified(key, read.is_some_and(|(_, kind, _)| kind.is_some())) == id;
    keys.into_iter().flatten().filter(same)
}
