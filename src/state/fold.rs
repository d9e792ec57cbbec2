//! What each event changes.
//!
//! A thing is (project, kind, id). An event of a project means that project's thing; of an agent also the one that works for
//! several projects, if it is known as such. What is first known without a project, and then named with one, is of that project.

use std::sync::Arc;

use serde_json::Value;

use super::{
    State,
    entities::{Key, Map},
    entity::Things,
};
use crate::{
    access::{Belongings, Projects},
    event::{Event, Kind},
    update::{self, run_status, task_status},
};

/// Tasks in progress of one agent that are remembered.
const MAX_TASKS: usize = 16;

/// Folds one event into the state.
pub(super) fn apply(state: &mut State, event: &Event) {
    let about = &about(event, &state.belongings);
    let name = event.name.canonical();
    let mut segments = name.split('.');
    let family = segments.next().unwrap_or_default();
    match (family, segments.next().unwrap_or_default()) {
        ("agent", "run" | "step") => run(state, event, about, AGENT_RUN),
        ("agent", "message") => {}
        ("agent", _) | ("worker", "registration") => agent(state, event, about),
        ("task", _) | ("progress", "update") | ("blocker", _) => task(state, event, about),
        ("project", _) => project(state, event, about),
        ("decision", _) | ("pm", "decision") => state.decisions += 1,
        ("system", "health") => health(state, event, about),
        ("system", "state") => system_state(state, event, about),
        ("workflow" | "execution", _) => run(state, event, about, EXECUTION),
        ("ingest", _) => run(state, event, about, JOB),
        _ => {}
    }
}

/// The things that an event is about. One that names no project is about that of its task: what an agent does there is not
/// said of the agent to all.
fn about(event: &Event, belongings: &Belongings) -> Things {
    let mut things = Things::new();
    event.things(&mut |kind, id| {
        if !matches!(kind, Kind::Agent | Kind::Task) {
            things.push((kind, id.into()));
        }
    });
    if event.project_id.is_none()
        && let Some(task) = event.task_id()
    {
        belongings.look(Kind::Task, task, |_, projects| match projects {
            Projects::None => {}
            Projects::These([project]) => things.insert(0, (Kind::Project, (**project).into())),
            _ => things.push((Kind::Task, task.into())),
        });
    }
    things
}

/// Whether what an event says counts only within its project.
fn is_confined(_event: &Event) -> bool {
    false
}

/// The project of an event: the one that it names, else that of its task.
fn project_of(event: &Event, about: &Things) -> Option<Arc<str>> {
    let of_task = || {
        let mut projects = about.iter().filter(|(kind, _)| *kind == Kind::Project);
        projects.next().map(|(_, id)| Arc::from(&**id))
    };
    event.project_id.clone().or_else(of_task)
}

/// The key of the thing that an event means by an id; `kind` tells runs apart.
fn home(state: &mut State, event: &Event, about: &Things, map: Map, id: &str, kind: u8) -> Key {
    let project = project_of(event, about).map(|p| state.kept.project(&p));
    let with = |project| Key {
        kind,
        ..Key::new(id, project)
    };
    if is_confined(event) {
        return with(project);
    }
    let known = state.kept.store.namesakes(map, id).map(|(key, _)| key);
    let mut known = known.filter(|key| key.kind == kind);
    let Some(project) = project else {
        // An agent that all may see must not be told as one of a project that they may not.
        if map == Map::Agents {
            return with(None);
        }
        // Without a project it is the one of no project, else the only one there is.
        return match (known.next(), known.next()) {
            (Some(first), second) if first.project.is_none() || second.is_none() => first.clone(),
            _ => with(None),
        };
    };
    let (mut own, mut open) = (false, false);
    for key in known {
        own |= key.project.as_ref() == Some(&project);
        open |= key.project.is_none();
    }
    if !own && open {
        if map == Map::Agents {
            return with(None);
        }
        state.kept.adopt(map, with(None), &project);
    }
    with(Some(project))
}

fn text<'e>(event: &'e Event, key: &str) -> Option<&'e str> {
    event.data.get(key).and_then(Value::as_str)
}

fn agent(state: &mut State, event: &Event, about: &Things) {
    let Some(id) = event.agent_id() else { return };
    let key = home(state, event, about, Map::Agents, id, 0);
    state.kept.change(Map::Agents, key, about, |facts| {
        facts.lay_over(
            &event.data,
            &[
                "old_status",
                "new_status",
                "current_task",
                "source",
                "target",
                "update_type",
                "agent_name",
                "worker_id",
                "status",
                "said_status",
                "task_id",
                "task_ids",
                "project_id",
            ],
        );
        facts.set("agent_id", id);
        facts.set_some("name", text(event, "agent_name").or(text(event, "name")));
        if event.name.canonical() == "agent.unregistered" {
            facts.set("said_status", "offline").clear("task_ids");
        } else {
            let status = text(event, "new_status").or(text(event, "status"));
            facts.set_some("said_status", status);
            if matches!(
                event.name.canonical(),
                "agent.registered" | "worker.registration"
            ) {
                facts.set_first("said_status", "idle");
            }
        }
        let task = event.data.get("current_task");
        match task.or(event.data.get("task_id")) {
            Some(Value::String(task)) => {
                facts.set("task_ids", vec![task.as_str()]);
            }
            Some(Value::Null) => {
                facts.clear("task_ids");
            }
            _ => {}
        }
        facts.set("updated_at", event.timestamp.to_string());
    });
}

fn task(state: &mut State, event: &Event, about: &Things) {
    let Some(id) = event.task_id() else { return };
    let status = task_status(event);
    let agent = event.agent_id();
    let key = home(state, event, about, Map::Tasks, id, 0);
    state.kept.change(Map::Tasks, key, about, |facts| {
        facts.lay_over(
            &event.data,
            &[
                "status",
                "source",
                "target",
                "event_type",
                "new_status",
                "old_status",
                "worker_id",
                "task_details",
                "blocker",
                "blocker_description",
                "project_id",
            ],
        );
        facts.set("task_id", id);
        let details = event.data.get("task_details").and_then(|d| d.get("name"));
        let details = details.and_then(Value::as_str);
        facts.set_some(
            "name",
            text(event, "task_name").or(details).or(text(event, "name")),
        );
        facts.set_some("status", status);
        match status {
            Some("todo") => facts.clear("agent_id"),
            _ => facts.set_some("agent_id", agent),
        };
        match status {
            Some("blocked") => facts.set_some("blocker", update::blocker(&event.data)),
            Some("done") => facts.set("progress", 100).clear("blocker"),
            Some(_) => facts.clear("blocker"),
            None => facts,
        };
        facts.set("updated_at", event.timestamp.to_string());
    });
    if let Some(agent) = agent {
        occupy(state, event, about, (agent, id), status);
    }
}

/// An agent has the tasks that it works on, until they are done or taken from it.
fn occupy(
    state: &mut State,
    event: &Event,
    about: &Things,
    (agent, task): (&str, &str),
    status: Option<&str>,
) {
    let key = home(state, event, about, Map::Agents, agent, 0);
    state.kept.change(Map::Agents, key, about, |facts| {
        facts.set("agent_id", agent);
        let over = match status {
            Some("done" | "todo" | "failed" | "cancelled" | "deleted") => Some(true),
            Some(_) => Some(false),
            None => None,
        };
        if let Some(over) = over {
            let known = facts.part("task_ids");
            let known = known.and_then(|text| serde_json::from_str::<Vec<String>>(text).ok());
            let mut tasks = known.unwrap_or_default();
            let had = tasks.len();
            tasks.retain(|known| known != task);
            let has = had > tasks.len();
            if !over {
                if tasks.len() == MAX_TASKS {
                    tasks.remove(0);
                }
                tasks.push(task.to_owned());
            }
            if !over || has {
                match tasks.is_empty() {
                    true => facts.clear("task_ids"),
                    false => facts.set("task_ids", tasks),
                };
            }
        }
        facts.set("updated_at", event.timestamp.to_string());
    });
}

fn project(state: &mut State, event: &Event, about: &Things) {
    let inner = event.data.get("project_state").and_then(Value::as_object);
    let from_inner = |key: &str| inner.and_then(|i| i.get(key)).and_then(Value::as_str);
    if let Some(risk) = from_inner("risk_level") {
        change_health(state, event, about, |facts| {
            facts.set("risk_level", risk);
        });
    }
    let id = match &event.project_id {
        Some(id) => id.clone(),
        None => {
            // Marcus names the project by its board here; where one of that name is known, it is that one.
            let name = from_inner("project_name").or(text(event, "project_name"));
            let known = name.and_then(|name| named(state, name));
            match known.or_else(|| from_inner("board_id").map(Arc::from)) {
                Some(id) => id,
                None => return,
            }
        }
    };
    let project = state.kept.project(&id);
    let key = Key::new(&id, Some(project));
    state.kept.change(Map::Projects, key, about, |facts| {
        facts.lay_over(
            &event.data,
            &["project_state", "source", "target", "task_count"],
        );
        if let Some(inner) = inner {
            facts.lay_over(inner, &[]);
        }
        facts.set_some(
            "name",
            text(event, "project_name")
                .or(from_inner("project_name"))
                .or(text(event, "name")),
        );
        facts.set_some("progress", update::project_progress(&event.data));
        match event.name.change_type() {
            "created" => facts.set("status", "active"),
            "completed" => facts.set("status", "completed").set("progress", 100),
            _ => facts,
        };
        facts.set("updated_at", event.timestamp.to_string());
    });
}

/// The project of this name.
fn named(state: &State, name: &str) -> Option<Arc<str>> {
    let name = Value::from(name).to_string();
    let mut projects = state.kept.store.map(Map::Projects).iter();
    let known = projects.find(|(_, p)| p.get(u16::MAX, "name") == Some(name.as_str()));
    known.and_then(|(key, _)| key.project.clone())
}

/// The health of all, or of the project that a limited producer speaks for.
fn change_health(
    state: &mut State,
    event: &Event,
    about: &Things,
    change: impl FnOnce(&mut super::entity::Facts<'_>),
) {
    let project = event.project_id.as_ref().filter(|_| is_confined(event));
    let key = Key::new("", project.map(|p| state.kept.project(p)));
    state.kept.change(Map::Health, key, about, |facts| {
        change(facts);
        facts.set("updated_at", event.timestamp.to_string());
    });
}

fn health(state: &mut State, event: &Event, about: &Things) {
    change_health(state, event, about, |facts| {
        facts.lay_over(&event.data, &[]);
    });
}

fn system_state(state: &mut State, event: &Event, about: &Things) {
    change_health(state, event, about, |facts| {
        for key in [
            "active_workers",
            "tasks_in_progress",
            "tasks_completed",
            "tasks_blocked",
            "system_metrics",
        ] {
            facts.set_some(key, event.data.get(key).cloned());
        }
    });
}

/// The kinds of runs, as their keys tell them apart.
const AGENT_RUN: u8 = 0;
const EXECUTION: u8 = 1;
const JOB: u8 = 2;

/// The name of a kind of runs.
pub(super) fn run_kind(kind: u8) -> &'static str {
    match kind {
        EXECUTION => "execution",
        JOB => "job",
        _ => "agent_run",
    }
}

fn run(state: &mut State, event: &Event, about: &Things, kind: u8) {
    let id = match kind {
        EXECUTION => event.execution_id(),
        JOB => event.job_id(),
        _ => event.run_id(),
    };
    let Some(id) = id else { return };
    let is_node = event.name.canonical().starts_with("workflow.node");
    let is_step = event.name.canonical().starts_with("agent.step");
    let key = home(state, event, about, Map::Runs, id, kind);
    state.kept.change(Map::Runs, key, about, |facts| {
        facts.set("kind", run_kind(kind));
        facts.set_first("started_at", event.timestamp.to_string());
        for outer in ["run", "job"] {
            if let Some(inner) = event.data.get(outer).and_then(Value::as_object) {
                facts.lay_over(inner, &["id", "project_id"]);
            }
        }
        if is_node {
            facts.set_some("current_node", event.node_id());
        } else if is_step {
            facts.set_some("step", event.data.get("step").cloned());
        } else {
            facts.lay_over(
                &event.data,
                &[
                    "run",
                    "job",
                    "step",
                    "nodeState",
                    "id",
                    "status",
                    "project_id",
                ],
            );
            facts.set_some("status", run_status(event));
        }
        facts.set("updated_at", event.timestamp.to_string());
    });
}
