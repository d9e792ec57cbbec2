//! An agent's tasks and status, as one client sees them.
//!
//! Events that name an agent give it tasks, take them from it, and say its status. A finished task is nobody's, whether
//! or not the event that ended it named its agent: the task itself says it. So nothing here depends on the order of
//! events of different things, and a client that folds the updates gets the same state.

use serde_json::{Value, json};

use super::{
    entity::{Entity, Mask},
    given::{REGISTERED, given_of, is_call, is_thought},
    store::{Key, Map, Store},
};
use crate::{access::authz::Permissions, event::ThingKind};

/// Words by which an agent says that it has nothing to do; a task of its own says more.
const AT_REST: [&str; 6] = [
    "idle",
    "available",
    "ready",
    "online",
    "registered",
    "waiting",
];

/// The status of an agent that is gone: it waits for nobody.
const GONE: &str = "\"offline\"";

/// Whether a task of this status is finished.
pub(super) fn is_over(status: &str) -> bool {
    matches!(status, "done" | "todo" | "failed" | "cancelled" | "deleted")
}

/// A task that an agent was given.
struct Given<'a> {
    /// The project that the event named with the task.
    project: Option<&'a str>,
    id: &'a str,
    /// Whether it was given after the agent said its status.
    fresh: bool,
    /// The project in which the task is known.
    home: Option<&'a str>,
    over: bool,
}

/// The derived facts of an agent.
pub(super) struct Agent<'a> {
    said: Option<&'a str>,
    given: Vec<Given<'a>>,
    /// Its tool calls that go on, as JSON text; the latest last.
    calls: Vec<&'a str>,
    /// Whether a person has to answer it.
    asks: bool,
    /// The same for its calls of models.
    thoughts: Vec<&'a str>,
}

impl<'a> Agent<'a> {
    /// Reads an agent's facts, as far as the mask shows them, and looks its tasks up.
    pub(super) fn of(
        entity: &'a Entity,
        mask: Mask,
        store: &'a Store,
        permissions: &Permissions,
        asks: bool,
    ) -> Self {
        let (mut said, mut since) = (None, 0);
        let mut given = Vec::new();
        let mut registered = false;
        let (mut calls, mut thoughts) = (Vec::new(), Vec::new());
        for (at, fact) in entity.facts.iter().enumerate() {
            if !fact.is_in(mask) || fact.value.is_empty() {
                continue;
            }
            match fact.key.as_str() {
                "said_status" => (said, since) = (Some(fact.value.as_str()), at),
                REGISTERED => registered = true,
                key => {
                    let later = || entity.facts[at + 1..].iter();
                    let is_last = || !later().any(|l| l.is_in(mask) && l.key == fact.key);
                    if is_call(key) {
                        calls.extend(is_last().then_some(fact.value.as_str()));
                        continue;
                    }
                    if is_thought(key) {
                        thoughts.extend(is_last().then_some(fact.value.as_str()));
                        continue;
                    }
                    let Some((project, id)) = given_of(key) else {
                        continue;
                    };
                    if is_last() {
                        given.push((at, project, id));
                    }
                }
            }
        }
        let given = given.into_iter().map(|(at, project, id)| {
            let task = task_of(store, permissions, project, id);
            Given {
                project,
                id,
                fresh: said.is_none() || at > since,
                home: task.map_or(project, |(home, _)| home),
                over: task.is_some_and(|(_, over)| over),
            }
        });
        Self {
            given: given.collect(),
            said: said.or(registered.then_some("\"idle\"")),
            calls,
            asks,
            thoughts,
        }
    }

    /// The fields of it, in the order in which they are written.
    pub(super) fn fields(&self, is_shared: bool) -> Vec<(&'static str, Value)> {
        let mut tasks: Vec<&Given<'_>> = Vec::new();
        for task in self.given.iter().filter(|task| !task.over) {
            tasks.retain(|t| (t.home, t.id) != (task.home, task.id));
            tasks.push(task);
        }
        let busy = tasks.iter().any(|task| task.fresh);
        let word = self.said.map(|said| said.trim_matches('"'));
        let rests = word.is_none_or(|word| AT_REST.contains(&word));
        let said = self.said.and_then(|said| serde_json::from_str(said).ok());
        let said: Value = said.unwrap_or_default();
        let status = match () {
            () if self.asks && self.said != Some(GONE) => "waiting".into(),
            () if rests && busy => "working".into(),
            () => said.clone(),
        };
        let last = tasks.last();
        let mut fields = vec![
            ("status", status),
            ("said_status", said),
            ("busy", busy.into()),
            ("task_id", last.map(|task| task.id).into()),
        ];
        if is_shared {
            fields.push(("task_project_id", last.and_then(|task| task.home).into()));
        }
        let ids: Vec<&str> = tasks.iter().map(|task| task.id).collect();
        fields.push(("task_ids", ids.into()));
        if !self.given.is_empty() {
            let given = self.given.iter().map(
                |task| json!({ "task_id": task.id, "project_id": task.project, "fresh": task.fresh }),
            );
            fields.push(("given_tasks", given.collect()));
        }
        let read = |calls: &[&str]| -> Vec<Value> {
            let calls = calls.iter().map(|call| serde_json::from_str(call));
            calls.filter_map(Result::ok).collect()
        };
        let calls = read(&self.calls);
        if let Some(last) = calls.last() {
            fields.push(("tool", last["tool_name"].clone()));
            fields.push(("tool_calls", calls.into()));
        }
        if !self.thoughts.is_empty() {
            fields.push(("thinking", read(&self.thoughts).into()));
        }
        fields
    }
}

/// The project of a task, as far as it is seen, and whether the task is finished. A task that was given without a
/// project may be known in one by now.
fn task_of<'a>(
    store: &'a Store,
    permissions: &Permissions,
    project: Option<&str>,
    id: &str,
) -> Option<(Option<&'a str>, bool)> {
    let tasks = store.namesakes(Map::Tasks, id);
    let mut seen = tasks.filter_map(|(key, entity)| {
        let mask = entity.seen(permissions, Some((ThingKind::Task, id)))?;
        Some((key, entity, mask))
    });
    let is_it = |key: &Key| key.project.as_deref() == project;
    let first = seen.next()?;
    // Tasks without a project come first.
    let (key, entity, mask) = match project {
        _ if is_it(first.0) => first,
        Some(_) => seen.find(|(key, ..)| is_it(key))?,
        None if seen.next().is_none() => first,
        None => return None,
    };
    let status = entity.get(mask, "status").unwrap_or_default();
    Some((key.project.as_deref(), is_over(status.trim_matches('"'))))
}
