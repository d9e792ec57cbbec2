//! The own fields of each kind of update, in the union of the spellings that front-ends read.

mod inputs;
mod models;
mod plans;
mod runs;
pub(super) mod texts;
mod tools;

pub(super) use models::{call_data, calls, usage};
pub(crate) use runs::execution_progress;
pub(super) use runs::{progress as progress_of_run, status_by_name};

use serde_json::Value;

use super::{
    artifact::artifact_id,
    facts::FACTS,
    kind::UpdateKind,
    level::notification_level,
    writer::{COMMON, Writer},
};
use crate::{
    event::{Dialect, Event, Object},
    update::seneca,
};

/// The source of assignments on the screen.
const PM: &str = "pm-agent";

/// Writes the body of a kind.
pub(super) fn write(kind: &UpdateKind, event: &Event, data: &Object, out: &mut Writer) {
    match kind {
        UpdateKind::AgentStatusChange => {
            out.field("agent_id", &event.agent_id());
            out.first("old_status", &[data.get("old_status")]);
            out.first("new_status", &[data.get("new_status"), data.get("status")]);
        }
        UpdateKind::Agent => agent(event, data, out),
        UpdateKind::Project => project(event, data, out),
        UpdateKind::TaskAssignment => assignment(event, data, out),
        UpdateKind::Progress => progress(event, data, out),
        UpdateKind::Task => task(event, data, out),
        UpdateKind::Decision => decision(event, data, out),
        UpdateKind::Health => {
            out.spread(
                &seneca::health_fields(event, data),
                &[&COMMON[..], &FACTS].concat(),
            );
            out.object("data", |out| {
                for key in ["severity", "message", "status"] {
                    out.unless_in(data, key, &Value::Null);
                }
                out.spread(data, &[]);
            });
        }
        UpdateKind::Notification => {
            out.field("level", notification_level(event));
            out.field("message", &notification_message(event, data));
            out.field("data", data);
        }
        UpdateKind::Execution => runs::execution(event, data, out),
        UpdateKind::Node => runs::node(event, data, out),
        UpdateKind::Ingest => runs::ingest(event, data, out),
        UpdateKind::AgentRun => runs::agent_run(event, data, out),
        UpdateKind::Message => texts::message(event, data, out),
        UpdateKind::Tool => tools::tool(event, data, out),
        UpdateKind::Handoff => tools::handoff(event, data, out),
        UpdateKind::Input => inputs::input(event, data, out),
        UpdateKind::Model => models::model(event, data, out),
        UpdateKind::Usage => usage(data, out),
        UpdateKind::Check => models::check(event, data, out),
        UpdateKind::Artifact => plans::artifact(event, data, out),
        UpdateKind::Plan => plans::plan(event, data, out),
        UpdateKind::Visual => {
            for key in [
                "update_id",
                "update_type",
                "target_id",
                "changes",
                "metadata",
            ] {
                out.first(key, &[data.get(key)]);
            }
            out.field("data", data);
        }
        UpdateKind::Generic => out.field("data", data),
        UpdateKind::Rule(rule) => rule.write(event, data, out),
        // An emission goes out as it is, without a body of ours.
        UpdateKind::Emission(_) => {}
        UpdateKind::Seneca(kind) => {
            let own_type = kind.wants_type() == seneca::TypeField::Own;
            let reserved = if own_type { &COMMON[1..] } else { &COMMON[..] };
            out.spread(&kind.body(event), reserved);
        }
    }
}

/// The thing that moves on the screen.
pub(super) fn target<'e>(kind: &UpdateKind, event: &'e Event) -> (&'static str, &'e str) {
    let of = |kind, id: Option<&'e str>| id.map(|id| (kind, id));
    let found = match kind {
        UpdateKind::AgentStatusChange | UpdateKind::Agent | UpdateKind::TaskAssignment => {
            of("agent", event.agent_id())
        }
        UpdateKind::Tool
        | UpdateKind::Handoff
        | UpdateKind::Input
        | UpdateKind::Model
        | UpdateKind::Check
        | UpdateKind::Artifact
        | UpdateKind::Plan => of("agent", event.agent_id()).or(of("task", event.task_id())),
        UpdateKind::Usage => models::scope(event),
        UpdateKind::Project => of("project", event.project_id.as_deref()),
        UpdateKind::Progress | UpdateKind::Task => of("task", event.task_id()),
        UpdateKind::Decision => of("task", event.task_id()).or(of("agent", event.agent_id())),
        UpdateKind::Execution => of("execution", event.execution_id()),
        UpdateKind::Node => of("node", event.node_id()),
        UpdateKind::Ingest => of("job", event.job_id()),
        UpdateKind::AgentRun => of("run", event.run_id()),
        UpdateKind::Message => of("message", texts::id(event)),
        UpdateKind::Visual => of(
            visual_target(event),
            event.data.get("target_id").and_then(Value::as_str),
        ),
        UpdateKind::Health | UpdateKind::Notification => None,
        UpdateKind::Generic
        | UpdateKind::Rule(_)
        | UpdateKind::Emission(_)
        | UpdateKind::Seneca(_) => of("agent", event.agent_id()).or(of("task", event.task_id())),
    };
    found.unwrap_or(("system", &event.source))
}

fn visual_target(event: &Event) -> &'static str {
    match event.name.canonical() {
        "visual.edge.update" => "edge",
        "visual.layout.update" | "visual.complete.refresh" => "layout",
        _ => "node",
    }
}

/// The ends of its way: two things, or two values.
pub(super) fn from_to(
    kind: &UpdateKind,
    event: &Event,
    data: &Object,
) -> (Option<Value>, Option<Value>) {
    let value = |key: &str| data.get(key).filter(|v| !v.is_null()).cloned();
    match kind {
        UpdateKind::AgentStatusChange => (value("old_status"), value("new_status")),
        UpdateKind::Agent if data.contains_key("new_status") => {
            (value("old_status"), value("new_status"))
        }
        UpdateKind::TaskAssignment => (Some(PM.into()), event.agent_id().map(Into::into)),
        UpdateKind::Progress => (value("old_progress"), value("progress")),
        UpdateKind::Project => (None, project_progress(data)),
        UpdateKind::Message => texts::way(event, data),
        UpdateKind::Tool => tools::way(event, data),
        UpdateKind::Handoff => (value("from_agent_id"), value("to_agent_id")),
        UpdateKind::Artifact => (
            event.agent_id().map(Into::into),
            artifact_id(data).map(|id| (*id).into()),
        ),
        _ => (None, None),
    }
}

/// The word for the change that an update tells of.
pub(super) fn change<'e>(kind: &UpdateKind, event: &'e Event, data: &'e Object) -> &'e str {
    let by_name = event.name.change_type();
    match kind {
        // The update pipeline's word for the change is one name, even if it consists of several words; and a producer
        // that publishes an update as a server emitted it has the word in the data.
        UpdateKind::Agent => {
            let own = match event.dialect {
                Dialect::AgentUpdate => data.get("update_type"),
                _ => data.get("change_type"),
            };
            own.and_then(Value::as_str).unwrap_or(by_name)
        }
        UpdateKind::Task if event.name.family() == "blocker" => "blocked",
        _ => by_name,
    }
}

fn agent(event: &Event, data: &Object, out: &mut Writer) {
    let change = change(&UpdateKind::Agent, event, data);
    out.field("agent_id", &event.agent_id());
    out.field("update_type", change);
    out.object("data", |out| {
        out.unless_in(data, "agent_id", &event.agent_id());
        // A `null` would make a front-end that folds the updates forget the status.
        let said = ["status", "new_status"]
            .iter()
            .find_map(|key| data.get(*key).filter(|status| !status.is_null()));
        if let Some(status) = said {
            out.field("status", status);
        }
        out.unless_in(data, "change_type", change);
        out.spread(data, &["status"]);
    });
}

fn project(event: &Event, data: &Object, out: &mut Writer) {
    out.object("data", |out| {
        out.unless_in(data, "project_id", &event.project_id.as_deref());
        if let Some(progress) = project_progress(data) {
            out.unless_in(data, "progress", &progress);
        }
        out.unless_in(data, "change_type", event.name.change_type());
        out.spread(data, &[]);
    });
}

/// The progress in percent, whichever way the producer writes it.
pub(crate) fn project_progress(data: &Object) -> Option<Value> {
    let state = data
        .get("project_state")
        .and_then(Value::as_object)
        .unwrap_or(data);
    let named = ["progress", "progress_percent", "progress_percentage"]
        .iter()
        .find_map(|key| {
            state
                .get(*key)
                .or_else(|| data.get(*key))
                .filter(|v| v.is_number())
        });
    named.cloned()
}

fn task_name<'e>(event: &'e Event, data: &'e Object) -> Option<&'e str> {
    let inner = |outer: &str, key: &str| {
        data.get(outer)
            .and_then(|o| o.get(key))
            .and_then(Value::as_str)
    };
    data.get("task_name")
        .and_then(Value::as_str)
        .or_else(|| inner("task_details", "name"))
        .or_else(|| inner("task", "name"))
        .or_else(|| event.task_id())
}

fn assignment(event: &Event, data: &Object, out: &mut Writer) {
    let (agent, task, name) = (event.agent_id(), event.task_id(), task_name(event, data));
    for (key, value) in [
        ("agent_id", agent),
        ("task_id", task),
        ("task_name", name),
        ("workerId", agent),
        ("taskId", task),
        ("taskName", name),
    ] {
        out.field(key, &value);
    }
    out.field("data", data);
}

fn progress(event: &Event, data: &Object, out: &mut Writer) {
    out.field("agent_id", &event.agent_id());
    out.field("task_id", &event.task_id());
    for key in ["progress", "status", "message"] {
        out.first(key, &[data.get(key)]);
    }
    out.field("workerId", &event.agent_id());
    out.field("taskId", &event.task_id());
    out.field("data", data);
}

fn task(event: &Event, data: &Object, out: &mut Writer) {
    let change = change(&UpdateKind::Task, event, data);
    out.object("data", |out| {
        out.unless_in(data, "task_id", &event.task_id());
        out.unless_in(data, "agent_id", &event.agent_id());
        out.unless_in(data, "change_type", change);
        out.spread(data, &[]);
    });
}

fn decision(event: &Event, data: &Object, out: &mut Writer) {
    out.field("decision", &seneca::decision_text(data));
    out.first("rationale", &[data.get("rationale"), data.get("why")]);
    let score = seneca::confidence(data);
    out.field("confidence_score", &score);
    out.field("confidence", &score);
    for key in ["decision_id", "impact"] {
        out.first(key, &[data.get(key)]);
    }
    out.field("task_id", &event.task_id());
    out.field("agent_id", &event.agent_id());
    match seneca::conversation_fields(event) {
        Some(line) => {
            let own = [
                "decision",
                "rationale",
                "confidence",
                "confidence_score",
                "decision_id",
                "impact",
                "task_id",
                "agent_id",
                "data",
            ];
            let taken = [&COMMON[..], &FACTS, &own].concat();
            out.spread(&line.fields(), &taken);
        }
        None => out.field("source", &*event.source),
    }
    out.field("data", data);
}

fn notification_message(event: &Event, data: &Object) -> String {
    ["message", "error", "warning", "reason"]
        .iter()
        .find_map(|key| data.get(*key).and_then(Value::as_str))
        .map_or_else(|| event.name.canonical().replace('.', " "), str::to_owned)
}
