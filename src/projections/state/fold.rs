//! The fold: each event changes entities of the state.
//!
//! A thing is (project, kind, id). The thing that an event means was settled when it was accepted (`Event::home`).

use serde_json::Value;

use super::{
    agent::is_over,
    entity::STARTED,
    folded::State,
    given::REGISTERED,
    inputs,
    meant::{about, home, text},
    model,
    plans::{self, PLANNED_BY},
    runs::{AGENT_RUN, EXECUTION, JOB, run_kind},
    store::{Key, Map},
};
use crate::{
    access::authz::Audience,
    event::{Event, ThingKind},
    update::{self, parent_run, run_status, session, task_status, tool_status},
};

impl State {
    /// Folds one event in.
    pub fn apply(&mut self, event: &Event) {
        self.events += 1;
        // An application's own words change nothing that is known of agents.
        if event.emission.is_none() {
            apply(self, event);
        }
    }
}

/// Folds one event into the state.
fn apply(state: &mut State, event: &Event) {
    adopt(state, event);
    let about = &about(event);
    let name = event.name.canonical();
    let mut segments = name.split('.');
    let family = segments.next().unwrap_or_default();
    match (family, segments.next().unwrap_or_default()) {
        ("agent", "run" | "step") => run(state, event, about, AGENT_RUN),
        // A text's role is not its agent's: the history has texts, the state does not.
        ("agent", "message" | "reasoning") => {}
        ("agent", "handoff") => handoff(state, event, about),
        ("tool", _) => tool(state, event, about),
        ("input", _) => inputs::input(state, event),
        ("llm", _) => model::model(state, event, about),
        ("artifact", _) => plans::artifact(state, event, about),
        ("plan", _) => plans::plan(state, event, about),
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

/// Moves things that were known without a project to the event's project, before its facts are folded.
fn adopt(state: &mut State, event: &Event) {
    let Some(project) = event
        .project_id
        .as_ref()
        .filter(|_| !event.settled.adopted.is_empty())
    else {
        return;
    };
    let project = state.kept.project(project);
    for (kind, map, run, id) in [
        (ThingKind::Task, Map::Tasks, 0, event.task_id()),
        (ThingKind::Run, Map::Runs, AGENT_RUN, event.run_id()),
        (
            ThingKind::Execution,
            Map::Runs,
            EXECUTION,
            event.execution_id(),
        ),
        (ThingKind::Job, Map::Runs, JOB, event.job_id()),
    ] {
        if let Some(id) = id.filter(|_| event.settled.adopts(kind)) {
            let before = Key {
                kind: run,
                ..Key::new(id, None)
            };
            state.kept.adopt(map, before, &project);
            if map == Map::Runs {
                model::adopt(state, id, &project);
            }
        }
    }
}

fn agent(state: &mut State, event: &Event, about: &Audience) {
    let Some(id) = event.agent_id() else { return };
    let key = home(state, event, ThingKind::Agent, id, 0);
    let project = event.project_id.as_deref();
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
                "task_project_id",
                "given_tasks",
                "busy",
                "tool",
                "tool_calls",
                "thinking",
                "usage",
                "project_id",
            ],
        );
        facts.set("agent_id", id);
        facts.set_some("name", text(event, "agent_name").or(text(event, "name")));
        if event.name.canonical() == "agent.unregistered" {
            facts.set("said_status", "offline");
            facts.take_back(project, None);
            facts.end_calls();
        } else {
            let status = text(event, "new_status").or(text(event, "status"));
            facts.set_some("said_status", status);
            if matches!(
                event.name.canonical(),
                "agent.registered" | "worker.registration"
            ) {
                facts.set_first(REGISTERED, true);
            }
        }
        let task = event.data.get("current_task");
        match task.or(event.data.get("task_id")) {
            Some(Value::String(task)) => {
                facts.take_back(project, None);
                facts.give(project, task);
            }
            Some(Value::Null) => facts.take_back(project, None),
            _ => {}
        }
        facts.set("updated_at", event.timestamp.to_string());
    });
}

/// Begins or ends a tool call of its agent.
fn tool(state: &mut State, event: &Event, about: &Audience) {
    let Some(id) = event
        .agent_id()
        .filter(|_| tool_status(&event.name).is_some())
    else {
        return;
    };
    let key = home(state, event, ThingKind::Agent, id, 0);
    state.kept.change(Map::Agents, key, about, |facts| {
        facts.set("agent_id", id);
        facts.set_some("name", text(event, "agent_name"));
        facts.call(event);
        facts.set("updated_at", event.timestamp.to_string());
    });
}

/// Notes whom an agent passed work to. The tasks stay with the agents that their own events name.
fn handoff(state: &mut State, event: &Event, about: &Audience) {
    let Some(id) = event.agent_id() else { return };
    let key = home(state, event, ThingKind::Agent, id, 0);
    state.kept.change(Map::Agents, key, about, |facts| {
        facts.set("agent_id", id);
        facts.set_some("name", text(event, "agent_name"));
        let at = event.timestamp.to_string().into();
        let to = text(event, "to_agent_id");
        if let Some(to) = to.filter(|_| !facts.is_later("handed_at", &at)) {
            facts.set("handed_to", to);
            facts.set("handed_at", at);
        }
        facts.set("updated_at", event.timestamp.to_string());
    });
}

/// Fields of an event that are no facts of its task.
const NOT_OF_TASK: &[&str] = &[
    "status",
    "source",
    "target",
    "event_type",
    "new_status",
    "old_status",
    "worker_id",
    "task_details",
    "agent_id",
    "blocker",
    "blocker_description",
    "project_id",
    PLANNED_BY,
];

fn task(state: &mut State, event: &Event, about: &Audience) {
    let Some(id) = event.task_id() else { return };
    let status = task_status(&event.name, &event.data);
    let agent = event.agent_id();
    let key = home(state, event, ThingKind::Task, id, 0);
    // The reason for another attempt is news, and no fact of a task that may well succeed.
    let of_the_attempt: &[&str] = match event.name.canonical() {
        "task.retried" => &["error", "error_type", "retry_in_ms"],
        _ => &[],
    };
    let but = [NOT_OF_TASK, of_the_attempt].concat();
    state.kept.change(Map::Tasks, key, about, |facts| {
        facts.lay_over(&event.data, &but);
        facts.clear(PLANNED_BY);
        facts.set("task_id", id);
        let details = event.data.get("task_details").and_then(|d| d.get("name"));
        let details = details.and_then(Value::as_str);
        facts.set_some(
            "name",
            text(event, "task_name").or(details).or(text(event, "name")),
        );
        facts.set_some("status", status);
        // The error of an earlier attempt is no fact of the one that goes on.
        if status.is_some_and(|status| status != "failed") {
            for key in ["error", "error_type"] {
                if but.contains(&key) || !event.data.contains_key(key) {
                    facts.clear(key);
                }
            }
        }
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
        let key = home(state, event, ThingKind::Agent, agent, 0);
        occupy(state, event, about, key, id, status);
    }
}

/// Gives an agent the tasks that it works on, until they are done or taken from it. An event that ends a task need not
/// name the agent: a finished task is nobody's.
fn occupy(
    state: &mut State,
    event: &Event,
    about: &Audience,
    agent: Key,
    task: &str,
    status: Option<&str>,
) {
    let id = agent.id.to_string();
    let project = event.project_id.as_deref();
    state.kept.change(Map::Agents, agent, about, |facts| {
        facts.set("agent_id", id);
        match status.map(is_over) {
            Some(true) => {
                facts.take_back(project, Some(task));
                facts.end_calls_of(task);
            }
            Some(false) => facts.give(project, task),
            None => {}
        }
        facts.set("updated_at", event.timestamp.to_string());
    });
}

fn project(state: &mut State, event: &Event, about: &Audience) {
    let inner = event.data.get("project_state").and_then(Value::as_object);
    let from_inner = |key: &str| inner.and_then(|i| i.get(key)).and_then(Value::as_str);
    if let Some(risk) = from_inner("risk_level") {
        change_health(state, event, about, |facts| {
            facts.set("risk_level", risk);
        });
    }
    // Names and boards stand for a project only where that was settled.
    let Some(id) = &event.project_id else { return };
    let project = state.kept.project(id);
    let key = Key::new(id, Some(project));
    state.kept.change(Map::Projects, key, about, |facts| {
        facts.lay_over(
            &event.data,
            &["project_state", "source", "target", "task_count", "usage"],
        );
        if let Some(inner) = inner {
            facts.lay_over(inner, &["usage"]);
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

/// The health of the system, or of the project that a limited producer speaks for.
fn change_health(
    state: &mut State,
    event: &Event,
    about: &Audience,
    change: impl FnOnce(&mut super::facts::Facts<'_>),
) {
    let project = event.project_id.as_ref().filter(|_| event.settled.confined);
    let key = Key::new("", project.map(|p| state.kept.project(p)));
    state.kept.change(Map::Health, key, about, |facts| {
        change(facts);
        facts.set("updated_at", event.timestamp.to_string());
    });
}

fn health(state: &mut State, event: &Event, about: &Audience) {
    change_health(state, event, about, |facts| {
        facts.lay_over(&event.data, &[]);
    });
}

fn system_state(state: &mut State, event: &Event, about: &Audience) {
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

fn run(state: &mut State, event: &Event, about: &Audience, kind: u8) {
    let id = match kind {
        EXECUTION => event.execution_id(),
        JOB => event.job_id(),
        _ => event.run_id(),
    };
    let Some(id) = id else { return };
    let is_node = event.name.canonical().starts_with("workflow.node");
    let is_step = event.name.canonical().starts_with("agent.step");
    let thing = match kind {
        EXECUTION => ThingKind::Execution,
        JOB => ThingKind::Job,
        _ => ThingKind::Run,
    };
    let key = home(state, event, thing, id, kind);
    state.kept.change(Map::Runs, key, about, |facts| {
        facts.set("kind", run_kind(kind));
        facts.set_earliest(STARTED, event.timestamp.to_string());
        for outer in ["run", "execution", "job"] {
            if let Some(inner) = event.data.get(outer).and_then(Value::as_object) {
                facts.lay_over(inner, &["id", "project_id", "usage"]);
            }
        }
        facts.set_some("parent_run_id", parent_run(&event.data));
        facts.set_some("session_id", session(&event.data));
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
                    "usage",
                ],
            );
            let named = ["run_id", "execution_id", "job_id"];
            facts.set_some(named[usize::from(kind)], Some(id));
            if kind == EXECUTION {
                facts.set_some("progress_percentage", update::execution_progress(event));
            }
            facts.set_some("status", run_status(&event.name, &event.data));
        }
        facts.set("updated_at", event.timestamp.to_string());
    });
}
