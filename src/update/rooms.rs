//! The rooms that an event's updates go to, and the entities that must see them in order.

use std::hash::{DefaultHasher, Hash, Hasher};

use serde_json::Value;
use smallvec::SmallVec;

use super::{
    artifact::artifact_id,
    input::{input_status, request_id},
    message,
    plan::{MOST_ITEMS, plan_id, plan_items},
    tool::tool_call_id,
    usage_scope::{Scope, scope_of},
};
use crate::{
    access::authz::{OBSERVERS, room_name},
    event::{Event, ThingKind},
};

/// Visits the names of the event's rooms: one of each thing that it names, whatever project that is of, and one of just
/// this project's.
pub fn event_rooms(event: &Event, visit: &mut dyn FnMut(&str)) {
    visit(OBSERVERS);
    let mut room = String::with_capacity(64);
    event.things(&mut |kind, id| {
        room.clear();
        room_name::write(&mut room, kind, None, id);
        visit(&room);
        if let Some(home) = event.home(kind).filter(|_| room_name::has_project(kind)) {
            room.clear();
            room_name::write(&mut room, kind, Some(home), id);
            visit(&room);
        }
    });
}

/// A hash of the event's rooms and its audience: updates with different ones are never coalesced.
pub fn rooms_hash(event: &Event) -> u64 {
    let mut hasher = DefaultHasher::new();
    event.things(&mut |kind, id| (kind, id).hash(&mut hasher));
    let settled = &event.settled;
    (settled.confined, &settled.owners, settled.shared).hash(&mut hasher);
    (&settled.candidates, settled.uncertain).hash(&mut hasher);
    hasher.finish()
}

/// The kind of a task as plans have it.
const PLANNED: &str = "planned";

/// A number for a thing of this kind: of the one in this project, or of none.
fn entity(home: Option<&str>, kind: &str, id: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    (home, kind, id).hash(&mut hasher);
    hasher.finish()
}

/// An event's agent and task, among its [`entities`].
pub fn agent_entities(event: &Event) -> SmallVec<[u64; 2]> {
    let named = [
        (ThingKind::Agent, event.agent_id()),
        (ThingKind::Task, event.task_id()),
    ];
    let named = named.into_iter();
    named
        .filter_map(|(kind, id)| Some(entity(event.home(kind), kind.as_str(), id?)))
        .collect()
}

/// The entities of a sum. Sums are the same in every order, so they wait for nothing and nothing takes them along; but one
/// of a thing without a project comes before the update that brings the thing into a project.
pub fn sum_entities(sum: &Event) -> SmallVec<[u64; 4]> {
    let has_home = |kind| sum.home(kind).is_some();
    match scope_of(&sum.data) {
        Some((Scope::Run, _))
            if ![ThingKind::Run, ThingKind::Execution, ThingKind::Job]
                .into_iter()
                .any(has_home) =>
        {
            entities(sum)
        }
        _ => SmallVec::new(),
    }
}

/// The entities whose updates must keep their order. A project and a workflow are only for events that are about them:
/// else everything in a project would have to wait for everything else.
pub fn entities(event: &Event) -> SmallVec<[u64; 4]> {
    let family = event.name.family();
    let mut entities = SmallVec::new();
    if event.emission.is_some() {
        // The emissions of one sender stay in order, whatever their rooms.
        let mut hasher = DefaultHasher::new();
        ("emission", &event.settled.producer).hash(&mut hasher);
        entities.push(hasher.finish());
        return entities;
    }
    let mut add = |home: Option<&str>, kind: &str, id: &str| {
        let hash = entity(home, kind, id);
        if !entities.contains(&hash) {
            entities.push(hash);
        }
    };
    event.things(&mut |kind, id| match kind {
        ThingKind::Project | ThingKind::Workflow if family != kind.as_str() => {}
        // Runs of one session have no order among each other.
        ThingKind::User | ThingKind::Session => {}
        kind => {
            // The run of a workflow has both names.
            let name = match kind {
                ThingKind::Execution => "run",
                kind => kind.as_str(),
            };
            add(event.home(kind), name, id);
            // The thing was known without a project until now: earlier updates of it come first.
            if event.settled.adopts(kind) {
                add(None, name, id);
            }
        }
    });
    // Most things are a project's own: namesakes in two projects are two.
    let project = event.project_id.as_deref();
    for (kind, id) in [("node", event.node_id()), ("message", event.message_id())] {
        if let Some(id) = id {
            add(project, kind, id);
        }
    }
    // An answer comes after the line that it answers. Not every line of Marcus names its project.
    if message::line(event).is_some() {
        add(None, "talk", event.agent_id().unwrap_or_default());
    } else if message::turn(event).is_some()
        && let Some(to) = event.data.get("to_agent_id").and_then(Value::as_str)
    {
        add(event.home(ThingKind::Agent), ThingKind::Agent.as_str(), to);
    }
    // A call may begin with its agent's name and end without.
    if family == "tool"
        && let Some(call) = tool_call_id(&event.data)
    {
        add(project, "tool", &call);
    }
    // An answer need not name the agent that asked.
    if input_status(&event.name).is_some()
        && let Some(request) = request_id(event)
    {
        add(project, "input", &request);
    }
    if family == "artifact"
        && let Some(artifact) = artifact_id(&event.data)
    {
        add(project, "artifact", &artifact);
    }
    // A plan says how far its tasks are.
    if event.name.canonical() == "plan.updated" {
        add(project, "plan", &plan_id(event));
    }
    if family == "visual"
        && let Some(target) = event
            .data
            .get("target_id")
            .and_then(serde_json::Value::as_str)
    {
        add(project, "target", target);
    }
    // The health of the system is one thing that events do not name; a report on a project tells its risk. A limited
    // producer speaks of its project's health.
    if family == "system" || (family == "project" && event.data.contains_key("project_state")) {
        add(
            project.filter(|_| event.settled.confined),
            "system",
            "health",
        );
    }
    entities.extend(item_entities(event));
    entities
}

/// The entities of a plan's items, which only plans and tasks have. They may be many, so nobody looks for those that are
/// there twice.
fn item_entities(event: &Event) -> SmallVec<[u64; 4]> {
    match event.project_id.as_deref() {
        // An item is no task of the project while one without a project has its id: a limited producer has no such task.
        Some(project) if !event.settled.confined => items_in(&[Some(project), None], event),
        _ => own_item_entities(event),
    }
}

/// The entities of a plan's items as tasks of its own project.
pub fn own_item_entities(event: &Event) -> SmallVec<[u64; 4]> {
    items_in(&[event.project_id.as_deref()], event)
}

/// The entities of a plan's items as tasks of each of these homes; none for other events.
fn items_in(homes: &[Option<&str>], event: &Event) -> SmallVec<[u64; 4]> {
    let mut entities = SmallVec::new();
    if event.name.canonical() == "plan.updated" {
        for item in plan_items(&event.data, MOST_ITEMS).0 {
            for home in homes {
                entities.push(entity(*home, ThingKind::Task.as_str(), &item.id));
                entities.push(entity(*home, PLANNED, &item.id));
            }
        }
    }
    entities
}

/// The entity of the plans that may have this event's task among their items.
pub fn planned_entity(event: &Event) -> Option<u64> {
    let id = event.task_id()?;
    Some(entity(event.home(ThingKind::Task), PLANNED, id))
}
