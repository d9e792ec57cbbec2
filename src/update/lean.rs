//! The lean shape of an update: each fact once, in `data`.
//!
//! `data` is the event's own, under the names that its producer chose. To it comes only what the event's name says and
//! the data does not. The table's own names are left out where the data has the fact under another one, and
//! `source_type` where the type and the change say it.

use serde_json::Value;

use super::{bodies, kind::UpdateKind, level::notification_level, status::within, writer::Writer};
use crate::{
    event::{Event, Object},
    update::seneca,
};

/// Names of a decision, its reason and its confidence that the table's names take the place of.
const WHAT: &str = "what";
const WHY: &str = "why";

/// Whether an event's name follows from its update's type and data, so that nobody needs `source_type`.
pub(super) fn tells_source(kind: &UpdateKind, event: &Event, data: &Object) -> bool {
    let name = event.name.canonical();
    let change = || match data.get("change_type") {
        Some(own) => own.as_str().unwrap_or_default(),
        None => bodies::change(kind, event, data),
    };
    let is_change_of = |family: &str| name.strip_prefix(family) == Some(change());
    match kind {
        UpdateKind::AgentStatusChange => name == "agent.status.changed",
        UpdateKind::Agent => is_change_of("agent."),
        UpdateKind::AgentRun => is_change_of("agent.run."),
        UpdateKind::Project => is_change_of("project."),
        UpdateKind::Task => is_change_of("task."),
        UpdateKind::TaskAssignment => name == "task.assigned",
        UpdateKind::Progress => name == "task.progress",
        UpdateKind::Health => name == "system.health.changed",
        UpdateKind::Message => name == "agent.message.appended",
        UpdateKind::Handoff => name == "agent.handoff",
        UpdateKind::Decision | UpdateKind::Visual | UpdateKind::Usage => true,
        UpdateKind::Notification
        | UpdateKind::Execution
        | UpdateKind::Node
        | UpdateKind::Ingest
        | UpdateKind::Tool
        | UpdateKind::Input
        | UpdateKind::Model
        | UpdateKind::Check
        | UpdateKind::Artifact
        | UpdateKind::Plan
        | UpdateKind::Generic
        | UpdateKind::Rule(_)
        | UpdateKind::Emission(_)
        | UpdateKind::Seneca(_) => false,
    }
}

/// Writes the body of a kind.
pub(super) fn write(kind: &UpdateKind, event: &Event, data: &Object, out: &mut Writer) {
    // The fields of a rule are the administrator's own, and Seneca's pages read theirs.
    if matches!(kind, UpdateKind::Rule(_) | UpdateKind::Seneca(_)) {
        return bodies::write(kind, event, data, out);
    }
    if matches!(kind, UpdateKind::Model) {
        bodies::calls(event, data, out);
    }
    out.object("data", |out| match kind {
        UpdateKind::Usage => bodies::usage(data, out),
        UpdateKind::Model => bodies::call_data(data, out),
        UpdateKind::AgentStatusChange => change_of_status(event, data, out),
        UpdateKind::Decision => decision(data, out),
        UpdateKind::Agent | UpdateKind::Project | UpdateKind::Task => {
            out.unless_in(data, "change_type", bodies::change(kind, event, data));
            out.spread(data, &[]);
        }
        UpdateKind::Message => {
            let said = bodies::texts::turn(event, data, out);
            out.spread(data, &said);
        }
        UpdateKind::Notification => {
            out.unless_in(data, "level", notification_level(event));
            out.spread(data, &[]);
        }
        UpdateKind::Execution | UpdateKind::Node | UpdateKind::Ingest | UpdateKind::AgentRun => {
            run(kind, event, data, out);
        }
        _ => out.spread(data, &[]),
    });
    if let Some(failure) = data.get("errorMessage").filter(|_| is_run(kind)) {
        out.field("errorMessage", failure);
    }
}

fn is_run(kind: &UpdateKind) -> bool {
    matches!(
        kind,
        UpdateKind::Execution | UpdateKind::Node | UpdateKind::Ingest | UpdateKind::AgentRun
    )
}

/// The change alone: the agent's other facts are in the `agent_update` of the same event.
fn change_of_status(event: &Event, data: &Object, out: &mut Writer) {
    if let Some(agent) = event.agent_id() {
        out.field("agent_id", agent);
    }
    let said = |key: &str| data.get(key).filter(|status| !status.is_null());
    for (key, status) in [
        ("old_status", said("old_status")),
        ("new_status", said("new_status").or(said("status"))),
    ] {
        if let Some(status) = status {
            out.field(key, status);
        }
    }
}

/// The decision, its reason and its confidence under the table's names, whichever its producer chose.
fn decision(data: &Object, out: &mut Writer) {
    let mut named: Vec<&str> = Vec::with_capacity(6);
    let said = |key: &str| data.get(key).filter(|value| !value.is_null());
    let text = seneca::decision_text(data);
    if !text.is_empty() {
        out.field("decision", &text);
        named.push("decision");
        let other = said(WHAT).and_then(Value::as_str);
        if other.is_none_or(|other| other == text) {
            named.push(WHAT);
        }
    }
    if let Some(reason) = said("rationale").or(said(WHY)) {
        out.field("rationale", reason);
        named.push("rationale");
        if said(WHY).is_none_or(|other| other == reason) {
            named.push(WHY);
        }
    }
    if let Some(confidence) = seneca::confidence(data) {
        out.field("confidence", &confidence);
        named.extend(["confidence", "confidence_score"]);
    }
    out.spread(data, &named);
}

/// The data of a run, a node or a job, with its status where only the event's name says it.
fn run(kind: &UpdateKind, event: &Event, data: &Object, out: &mut Writer) {
    let objects: &[&str] = match kind {
        UpdateKind::Execution => &["run", "execution"],
        UpdateKind::Node => &["nodeState", "node"],
        UpdateKind::Ingest => &["job"],
        _ => &["run", "step"],
    };
    if matches!(kind, UpdateKind::AgentRun) {
        out.unless_in(data, "change_type", event.name.change_type());
    }
    let mut but = vec!["errorMessage"];
    let stated = within(data, objects, "status").and_then(Value::as_str);
    let status = stated.unwrap_or(bodies::status_by_name(event.name.change_type()));
    if stated.is_none() {
        out.field("status", status);
        but.push("status");
    }
    let is_said = || bodies::progress_of_run(data, "").is_some();
    if matches!(kind, UpdateKind::Execution)
        && let Some(progress) = bodies::progress_of_run(data, status).filter(|_| !is_said())
    {
        out.field("progress_percentage", &progress);
        but.push("progress_percentage");
    }
    out.spread(data, &but);
}
