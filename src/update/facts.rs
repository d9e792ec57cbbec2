//! The facts by which an update changes the state, in the server's own words: a front-end that folds them has what a snapshot
//! would tell it, and need not guess.

use serde_json::Value;

use super::{
    kind::UpdateKind,
    shape::UpdateShape,
    status::{run_status, task_status},
    writer::Writer,
};
use crate::{
    event::{self, Event, Object},
    timestamp::Timestamp,
};

/// The keys that are written here; no body writes them again.
pub(super) const FACTS: [&str; 10] = [
    "adopted",
    "confined",
    "nulls",
    "since",
    "project_id",
    "agent_project_id",
    "task_status",
    "run_status",
    "agent_name",
    "agent_role",
];

/// Writes the facts of an update that changes the state. In the lean shape those that the data says are not said again.
pub(super) fn write(
    kind: &UpdateKind,
    event: &Event,
    data: &Object,
    since: Option<Timestamp>,
    shape: UpdateShape,
    out: &mut Writer,
) {
    // Rules and Seneca's pages have fields of their own.
    if matches!(kind, UpdateKind::Rule(_) | UpdateKind::Seneca(_)) {
        return;
    }
    let is_lean = shape == UpdateShape::Lean;
    let project = event.project_id.as_deref();
    let said = data.get("project_id").and_then(Value::as_str);
    match project {
        Some(project) if !is_lean || said != Some(project) => out.field("project_id", project),
        // The data names one that the event is not of.
        None if is_lean && said.is_some() => out.field("project_id", &Value::Null),
        _ => {}
    }
    if project.is_some() {
        // An agent that several projects share belongs to none of them.
        if event.agent_id().is_some() && event.home(event::ThingKind::Agent).is_none() {
            out.field("agent_project_id", &Value::Null);
        }
    }
    let settled = &event.settled;
    if settled.confined {
        out.field("confined", &true);
    }
    if !settled.adopted.is_empty() {
        let kinds = event::ThingKind::ALL.iter().copied();
        let adopted = kinds.filter(|kind| settled.adopts(*kind));
        let adopted: Vec<&str> = adopted.map(event::ThingKind::as_str).collect();
        out.field("adopted", &adopted);
    }
    if let Some(since) = since {
        out.field("since", &since);
    }
    if !is_lean {
        nulls(kind, data, out);
    }
    let name = event.name.canonical();
    match kind {
        UpdateKind::TaskAssignment | UpdateKind::Progress | UpdateKind::Task => {
            task(event, data, out);
        }
        // These have no row of their own, but the state folds them.
        UpdateKind::Generic if name.starts_with("blocker.") => {
            if !is_lean {
                out.field("task_id", &event.task_id());
                out.field("agent_id", &event.agent_id());
            }
            task(event, data, out);
        }
        UpdateKind::Generic if name == "worker.registration" && !is_lean => {
            out.field("agent_id", &event.agent_id());
            let text = |key: &str| data.get(key).and_then(Value::as_str);
            let said = [
                ("agent_name", text("agent_name").or(text("name"))),
                ("agent_role", text("role")),
            ];
            for (key, value) in said {
                if let Some(value) = value {
                    out.field(key, value);
                }
            }
        }
        // Some have no row of their own, but the state folds them.
        UpdateKind::Execution | UpdateKind::Ingest | UpdateKind::AgentRun | UpdateKind::Generic
            if is_of_a_run(name) =>
        {
            if let Some(status) = run_status(&event.name, data) {
                out.field("run_status", status.as_str());
            }
        }
        _ => {}
    }
}

/// Whether an event of this name says how its run stands, as the state folds it.
fn is_of_a_run(name: &str) -> bool {
    let mut segments = name.split('.');
    let (family, second) = (segments.next(), segments.next().unwrap_or_default());
    match family {
        Some("agent") => second == "run",
        Some("workflow") => !second.starts_with("node"),
        Some("execution" | "ingest") => true,
        _ => false,
    }
}

/// Writes `null` for fields of which the event says so, where the body may write `null` also for an unsaid field.
fn nulls(kind: &UpdateKind, data: &Object, out: &mut Writer) {
    let fills = matches!(
        kind,
        UpdateKind::Health | UpdateKind::Execution | UpdateKind::Ingest
    );
    let nulls = data.iter().filter(|(_, value)| fills && value.is_null());
    let nulls: Vec<&str> = nulls.map(|(key, _)| key.as_str()).collect();
    if !nulls.is_empty() {
        out.field("nulls", &nulls);
    }
}

fn task(event: &Event, data: &Object, out: &mut Writer) {
    if let Some(status) = task_status(&event.name, data) {
        out.field("task_status", status);
    }
}
