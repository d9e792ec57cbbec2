//! The thing and the audience that an event means, for all folds.

use serde_json::Value;

use super::{folded::State, store::Key};
use crate::{
    access::authz::Audience,
    event::{Event, ThingKind},
};

/// The audience of the facts that an event says of an entity. Its agents and tasks don't limit it: facts about them are
/// theirs. But a task whose home is uncertain does.
pub(super) fn about(event: &Event) -> Audience {
    let uncertain = event.settled.uncertain;
    Audience::of(event, |kind| match kind {
        ThingKind::Agent => false,
        ThingKind::Task => uncertain.contains(kind),
        _ => true,
    })
}

/// The key of the thing that an event means by an id, as it was settled; `run` is the kind of a run.
pub(super) fn home(state: &State, event: &Event, kind: ThingKind, id: &str, run: u8) -> Key {
    let project = event.project_id.as_ref();
    let project = project.filter(|_| event.home(kind).is_some());
    Key {
        kind: run,
        ..Key::new(id, project.map(|project| state.kept.project(project)))
    }
}

pub(super) fn text<'e>(event: &'e Event, key: &str) -> Option<&'e str> {
    event.data.get(key).and_then(Value::as_str)
}
