//! Artifacts that agents make, and plans: items that are tasks before anybody works on them.
//!
//! A task that only a plan knows is there as long as the latest plan has it, and is as far as that says. With the first
//! event of its own it is a task as any other, which no plan changes.

use std::collections::HashSet;

use serde_json::Value;

use super::{
    folded::State,
    store::{Key, Map},
};
use crate::{
    access::authz::Audience,
    event::Event,
    update::{Item, artifact_id, artifact_status, plan_id, plan_items},
};

/// The fact of a task that only a plan knows: the plan.
pub(super) const PLANNED_BY: &str = "planned_by";
/// The fact of a plan: the ids of its items.
const ITEMS: &str = "items";

/// The key of a thing that no ledger knows.
fn key(state: &State, event: &Event, id: &str) -> Key {
    let project = event.project_id.as_ref();
    Key::new(id, project.map(|project| state.kept.project(project)))
}

/// Notes what is said of an artifact.
pub(super) fn artifact(state: &mut State, event: &Event, about: &Audience) {
    let (Some(id), Some(status)) = (artifact_id(&event.data), artifact_status(&event.name)) else {
        return;
    };
    let key = key(state, event, &id);
    state.kept.change(Map::Artifacts, key, about, |facts| {
        facts.lay_over(
            &event.data,
            &["artifact_id", "artifactId", "status", "project_id"],
        );
        facts.set("artifact_id", &*id).set("status", status);
        facts.set_some("agent_id", event.agent_id());
        facts.set_some("task_id", event.task_id());
        facts.set_some("run_id", event.run_id());
        facts.set("updated_at", event.timestamp.to_string());
    });
}

/// Makes the tasks that a plan has those of its latest form.
pub(super) fn plan(state: &mut State, event: &Event, about: &Audience) {
    if event.name.canonical() != "plan.updated" || !event.data.contains_key(ITEMS) {
        return;
    }
    let (items, left_out) = plan_items(&event.data, state.kept.most_items());
    state.kept.leave_out(left_out);
    let id = plan_id(event);
    for item in &items {
        wait(state, event, about, &id, item);
    }
    let plan = key(state, event, &id);
    let before = state.kept.get(Map::Plans, &plan, ITEMS);
    let before: Vec<String> = before
        .and_then(|ids| serde_json::from_str(ids).ok())
        .unwrap_or_default();
    let now: HashSet<&str> = items.iter().map(|item| &*item.id).collect();
    for gone in before.iter().filter(|id| !now.contains(id.as_str())) {
        let task = key(state, event, gone);
        if planned_by(state, &task).as_deref() == Some(&id) {
            state.kept.remove(Map::Tasks, &task);
        }
    }
    state.kept.change(Map::Plans, plan, about, |facts| {
        let ids: Vec<Value> = items.iter().map(|item| (*item.id).into()).collect();
        facts.set_whole(ITEMS, &Value::from(ids).to_string());
        facts.set("updated_at", event.timestamp.to_string());
    });
}

/// Notes an item of a plan as a task, unless the task is one of its own.
fn wait(state: &mut State, event: &Event, about: &Audience, plan: &str, item: &Item<'_>) {
    let task = key(state, event, &item.id);
    if is_own(state, &task) {
        return;
    }
    // Its own events may not have named the project yet; those of a limited producer do.
    if !event.settled.confined && is_own(state, &Key::new(&item.id, None)) {
        state.kept.remove(Map::Tasks, &task);
        return;
    }
    state.kept.change(Map::Tasks, task, about, |facts| {
        facts.set("task_id", &*item.id);
        facts.set_some("name", item.title);
        facts.set("status", item.status).set(PLANNED_BY, plan);
        match item.status {
            "done" => facts.set("progress", 100),
            _ => facts.clear("progress"),
        };
        facts.set("updated_at", event.timestamp.to_string());
    });
}

/// Whether there is a task of which its own events told.
fn is_own(state: &State, task: &Key) -> bool {
    let is_known = state.kept.store.map(Map::Tasks).get(task).is_some();
    is_known && planned_by(state, task).is_none()
}

/// The plan that alone knows a task.
fn planned_by(state: &State, task: &Key) -> Option<String> {
    let plan = state.kept.get(Map::Tasks, task, PLANNED_BY)?;
    serde_json::from_str(plan).ok()
}
