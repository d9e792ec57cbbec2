//! Which rooms an event's updates go to, and which entities must see them in order.

use std::hash::{DefaultHasher, Hash, Hasher};

use smallvec::SmallVec;

use crate::{
    access::OBSERVERS,
    event::{Event, Kind},
};

/// Visits the names of the event's rooms.
pub fn event_rooms(event: &Event, visit: &mut dyn FnMut(&str)) {
    visit(OBSERVERS);
    let mut room = String::with_capacity(64);
    event.things(&mut |kind, id| {
        room.clear();
        room.push_str(kind.as_str());
        room.push(':');
        room.push_str(id);
        visit(&room);
    });
}

/// Stands for the event's rooms: updates for different rooms are never united.
pub fn rooms_hash(event: &Event) -> u64 {
    let mut hasher = DefaultHasher::new();
    event.things(&mut |kind, id| (kind, id).hash(&mut hasher));
    hasher.finish()
}

/// The entities whose updates must keep their order. A project and a workflow are only for events that are about them:
/// else everything in a project would have to wait for everything else.
pub fn entities(event: &Event) -> SmallVec<[u64; 4]> {
    let family = event.name.family();
    let mut entities = SmallVec::new();
    let mut add = |kind: &str, id: &str| {
        let mut hasher = DefaultHasher::new();
        (kind, id).hash(&mut hasher);
        let hash = hasher.finish();
        if !entities.contains(&hash) {
            entities.push(hash);
        }
    };
    event.things(&mut |kind, id| match kind {
        Kind::Project | Kind::Workflow if family != kind.as_str() => {}
        Kind::User => {}
        // A workflow's run goes by both names.
        Kind::Execution => add("run", id),
        kind => add(kind.as_str(), id),
    });
    for (kind, id) in [("node", event.node_id()), ("message", event.message_id())] {
        if let Some(id) = id {
            add(kind, id);
        }
    }
    if family == "visual"
        && let Some(target) = event
            .data
            .get("target_id")
            .and_then(serde_json::Value::as_str)
    {
        add("target", target);
    }
    entities
}
