//! Calls of models: which go on, and what they come to.

use std::sync::Arc;

use serde_json::Value;

use super::{
    facts::Facts,
    folded::State,
    meant::home,
    store::{Key, Map},
    usage::{OTHER, SUMS, TOTALS, beginning, is_model, model_key},
};
use crate::{
    access::authz::Audience,
    event::{Event, ThingKind},
    fnv::fnv,
    update::{Added, Scope, Usage, added, is_total, model_status},
};

/// A number for an audience, the same in every process.
fn number(audience: &Audience) -> u64 {
    fnv(serde_json::to_vec(audience).unwrap_or_default())
}

/// Begins or ends a call of a model, and adds its tokens and its cost up.
pub(super) fn model(state: &mut State, event: &Event, about: &Audience) {
    if model_status(&event.name).is_none() {
        return;
    }
    if let Some(id) = event.agent_id().filter(|_| !is_total(&event.data)) {
        let name = event.data.get("agent_name").and_then(Value::as_str);
        let key = home(state, event, ThingKind::Agent, id, 0);
        state.kept.change(Map::Agents, key, about, |facts| {
            facts.set("agent_id", id);
            facts.set_some("name", name);
            facts.think(event);
            facts.set("updated_at", event.timestamp.to_string());
        });
    }
    add(state, event, about);
}

/// Adds the usage that an event tells of to the sums of its things. Its agent and its project are known from then on.
fn add(state: &mut State, event: &Event, about: &Audience) {
    let Some((usage, sums)) = added(event) else {
        return;
    };
    for (nth, sum) in sums.iter().enumerate() {
        let audience = Audience::of(&sum.event, |_| true);
        let thing = home(state, &sum.event, sum.kind, &sum.id, 0);
        introduce(state, sum, &thing, about);
        let id = format!(
            "{}{:016x}",
            beginning(sum.scope, &sum.id),
            number(&audience)
        );
        let key = Key::new(&id, thing.project);
        state.kept.change(Map::Usage, key, &audience, |facts| {
            add_to(facts, &usage);
            facts.left_out(if nth == 0 { usage.refused } else { 0 });
        });
    }
}

fn add_to(facts: &mut Facts<'_>, usage: &Usage) {
    if usage.is_total {
        return facts.add(TOTALS, &usage.sums);
    }
    facts.add(SUMS, &usage.sums);
    if let Some(model) = &usage.model {
        let key = facts.room_for(model_key(model), is_model, model_key(OTHER));
        facts.add(&key, &usage.sums);
    }
}

/// Makes an agent or a project known whose usage is told before anything else.
fn introduce(state: &mut State, sum: &Added, thing: &Key, about: &Audience) {
    let (map, id) = match sum.scope {
        Scope::Agent => (Map::Agents, "agent_id"),
        Scope::Project => (Map::Projects, "project_id"),
        Scope::Run => return,
    };
    if state.kept.store.map(map).get(thing).is_none() {
        state.kept.change(map, thing.clone(), about, |facts| {
            facts.set(id, &*sum.id);
        });
    }
}

/// Moves the sums of a run that was known without a project to its project.
pub(super) fn adopt(state: &mut State, id: &str, project: &Arc<str>) {
    let with = beginning(Scope::Run, id);
    let sums = state.kept.store.beginning(Map::Usage, &with);
    let alone = sums.map(|(key, _)| key).filter(|key| key.project.is_none());
    let alone: Vec<Key> = alone.cloned().collect();
    for key in alone {
        state.kept.adopt(Map::Usage, key, project);
    }
}
