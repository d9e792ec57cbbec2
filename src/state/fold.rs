//! What each event changes.

use serde_json::Value;

use super::{
    State,
    facts::{Things, about},
};
use crate::{event::Event, update};

/// Folds one event into the state.
pub(super) fn apply(state: &mut State, event: &Event) {
    let about = &about(event, &state.belongings);
    let name = event.name.canonical();
    let mut segments = name.split('.');
    let family = segments.next().unwrap_or_default();
    match (family, segments.next().unwrap_or_default()) {
        ("agent", "run" | "step") => run(state, event, about, "agent_run"),
        ("agent", "message") => {}
        ("agent", _) | ("worker", "registration") => agent(state, event, about),
        ("task", _) | ("progress", "update") | ("blocker", _) => task(state, event, about),
        ("project", _) => project(state, event, about),
        ("decision", _) | ("pm", "decision") => state.decisions += 1,
        ("system", "health") => health(state, event, about),
        ("system", "state") => system_state(state, event, about),
        ("workflow" | "execution", _) => run(state, event, about, "execution"),
        ("ingest", _) => run(state, event, about, "job"),
        _ => {}
    }
}

fn text<'e>(event: &'e Event, key: &str) -> Option<&'e str> {
    event.data.get(key).and_then(Value::as_str)
}

fn agent(state: &mut State, event: &Event, about: &Things) {
    let Some(id) = event.agent_id() else { return };
    let registered = matches!(
        event.name.canonical(),
        "agent.registered" | "worker.registration"
    );
    let known = state.agents.get(id).is_some();
    let mut facts = state.agents.change(id, about);
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
        ],
    );
    facts.set("agent_id", id);
    facts.set_some("name", text(event, "agent_name").or(text(event, "name")));
    let status = text(event, "new_status").or(text(event, "status"));
    facts.set_some("status", status);
    if registered && !known && status.is_none() {
        facts.set("status", "idle");
    }
    let gone = event.name.canonical() == "agent.unregistered";
    if gone {
        facts.set("status", "offline").set("task_id", Value::Null);
    }
    if let Some(task) = event.data.get("current_task") {
        facts.set("task_id", task.clone());
    }
    facts.set_some("project_id", event.project_id.as_deref());
    facts.set("updated_at", event.timestamp.to_string());
}

/// What a task's event says of its status.
fn task_status(event: &Event) -> Option<&str> {
    let failed = event.data.get("success") == Some(&Value::Bool(false));
    match event.name.canonical() {
        "task.completed" if failed => Some("blocked"),
        "task.completed" => Some("done"),
        "task.blocked" | "blocker.reported" | "blocker.report" => Some("blocked"),
        "task.assigned" | "task.assignment" | "task.started" | "blocker.resolved" => {
            Some("in_progress")
        }
        "task.created" | "task.unassigned" => Some("todo"),
        "task.failed" => Some("failed"),
        "task.cancelled" | "task.canceled" => Some("cancelled"),
        "task.deleted" => Some("deleted"),
        "task.progress" | "progress.update" => match text(event, "status") {
            Some("completed") => Some("done"),
            Some(status) => Some(status),
            None => Some("in_progress"),
        },
        _ => text(event, "new_status").or(text(event, "status")),
    }
}

fn task(state: &mut State, event: &Event, about: &Things) {
    let Some(id) = event.task_id() else { return };
    let status = task_status(event);
    let agent = event.agent_id();
    let mut facts = state.tasks.change(id, about);
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
        ],
    );
    facts.set("task_id", id);
    let details = event
        .data
        .get("task_details")
        .and_then(|d| d.get("name"))
        .and_then(Value::as_str);
    facts.set_some(
        "name",
        text(event, "task_name").or(details).or(text(event, "name")),
    );
    facts.set_some("status", status);
    match status {
        Some("todo") => {
            facts.clear("agent_id");
        }
        _ => {
            facts.set_some("agent_id", agent);
        }
    }
    match status {
        Some("blocked") => {
            facts.set_some(
                "blocker",
                text(event, "blocker").or(text(event, "blocker_description")),
            );
        }
        Some("done") => {
            facts.set("progress", 100).clear("blocker");
        }
        Some(_) => {
            facts.clear("blocker");
        }
        None => {}
    }
    facts.set_some("project_id", event.project_id.as_deref());
    facts.set("updated_at", event.timestamp.to_string());
    if let Some(agent) = agent {
        occupy(state, event, about, (agent, id), status);
    }
}

/// An agent has the task that it works on, and none when that is done or taken from it.
fn occupy(
    state: &mut State,
    event: &Event,
    about: &Things,
    (agent, task): (&str, &str),
    status: Option<&str>,
) {
    let has = state
        .agents
        .get(agent)
        .and_then(|a| a.get("task_id"))
        .and_then(Value::as_str)
        == Some(task);
    let mut facts = state.agents.change(agent, about);
    facts.set("agent_id", agent);
    match status {
        Some("done" | "todo" | "failed" | "cancelled" | "deleted") if has => {
            facts.set("task_id", Value::Null);
        }
        Some("done" | "todo" | "failed" | "cancelled" | "deleted") | None => {}
        Some(_) => {
            facts.set("task_id", task);
        }
    }
    facts.set_some("project_id", event.project_id.as_deref());
    facts.set("updated_at", event.timestamp.to_string());
}

fn project(state: &mut State, event: &Event, about: &Things) {
    let inner = event.data.get("project_state").and_then(Value::as_object);
    let from_inner = |key: &str| inner.and_then(|i| i.get(key)).and_then(Value::as_str);
    if let Some(risk) = from_inner("risk_level") {
        state
            .health
            .change(about)
            .set("risk_level", risk)
            .set("updated_at", event.timestamp.to_string());
    }
    // Marcus names the project by its board here; where one of that name is known, it is that one.
    let by_name = from_inner("project_name")
        .or(text(event, "project_name"))
        .and_then(|name| {
            let known = state
                .projects
                .iter()
                .find(|(_, p)| p.get("name").and_then(Value::as_str) == Some(name));
            known.map(|(id, _)| id.to_owned())
        });
    let id = event.project_id.as_deref().map(str::to_owned).or(by_name);
    let Some(id) = id.or_else(|| from_inner("board_id").map(str::to_owned)) else {
        return;
    };
    let mut facts = state.projects.change(&id, about);
    facts.lay_over(
        &event.data,
        &["project_state", "source", "target", "task_count"],
    );
    if let Some(inner) = inner {
        facts.lay_over(inner, &[]);
    }
    facts.set("project_id", id.as_str());
    facts.set_some(
        "name",
        text(event, "project_name")
            .or(from_inner("project_name"))
            .or(text(event, "name")),
    );
    facts.set_some("progress", update::project_progress(&event.data));
    match event.name.change_type() {
        "created" => {
            facts.set("status", "active");
        }
        "completed" => {
            facts.set("status", "completed").set("progress", 100);
        }
        _ => {}
    }
    facts.set("updated_at", event.timestamp.to_string());
}

fn health(state: &mut State, event: &Event, about: &Things) {
    state
        .health
        .change(about)
        .lay_over(&event.data, &[])
        .set("updated_at", event.timestamp.to_string());
}

fn system_state(state: &mut State, event: &Event, about: &Things) {
    let mut facts = state.health.change(about);
    for key in [
        "active_workers",
        "tasks_in_progress",
        "tasks_completed",
        "tasks_blocked",
        "system_metrics",
    ] {
        if let Some(value) = event.data.get(key) {
            facts.set(key, value.clone());
        }
    }
    facts.set("updated_at", event.timestamp.to_string());
}

fn run(state: &mut State, event: &Event, about: &Things, kind: &str) {
    let id = match kind {
        "execution" => event.execution_id(),
        "job" => event.job_id(),
        _ => event.run_id(),
    };
    let Some(id) = id else { return };
    let is_node = event.name.canonical().starts_with("workflow.node");
    let is_step = event.name.canonical().starts_with("agent.step");
    let mut facts = state.runs.change(id, about);
    facts.set("id", id).set("kind", kind);
    for outer in ["run", "job"] {
        if let Some(inner) = event.data.get(outer).and_then(Value::as_object) {
            facts.lay_over(inner, &["id"]);
        }
    }
    if is_node {
        facts.set_some("current_node", event.node_id());
    } else if is_step {
        facts.set_some("step", event.data.get("step").cloned());
    } else {
        facts.lay_over(
            &event.data,
            &["run", "job", "step", "nodeState", "id", "status"],
        );
        let stated = update::status_of(event, &["run", "job"]);
        let by_name = match event.name.change_type() {
            "created" => Some("pending"),
            "started" => Some("running"),
            change @ ("completed" | "failed" | "cancelled") => Some(change),
            _ => None,
        };
        facts.set_some(
            "status",
            by_name
                .filter(|s| *s != "pending")
                .map(str::to_owned)
                .or(stated)
                .or(by_name.map(str::to_owned)),
        );
    }
    facts.set_some("project_id", event.project_id.as_deref());
    facts.set("updated_at", event.timestamp.to_string());
}
