//! The bodies of updates of workflows and their nodes, of ingest jobs, and of an agent's runs and steps.

use serde_json::Value;

use super::super::{
    status::{parent_run, session, within},
    writer::Writer,
};
use crate::event::{Event, Object};

/// The status by the last word of a name, when the event doesn't state it.
pub(in super::super) fn status_by_name(change: &str) -> &str {
    match change {
        "created" => "pending",
        "started" | "updated" | "resumed" => "running",
        other => other,
    }
}

/// The progress of an execution. A complete one is all done, even if nobody counted.
pub(in super::super) fn progress(data: &Object, status: &str) -> Option<Value> {
    let keys = ["progress_percentage", "progress_percent", "progress"].into_iter();
    let mut said = keys.filter_map(|key| within(data, &["run", "execution"], key));
    let said = said.find(|value| !value.is_null()).cloned();
    said.or_else(|| (status == "completed").then(|| 100.into()))
}

/// The progress of an event's execution, for the state; none if no update tells it.
pub(crate) fn execution_progress(event: &Event) -> Option<Value> {
    let name = event.name.canonical();
    let tells = name.starts_with("workflow.run.") || name.starts_with("execution.");
    let status = stated(&event.data, &["run", "execution"]);
    let status = status.unwrap_or(status_by_name(event.name.change_type()));
    tells.then(|| progress(&event.data, status)).flatten()
}

pub(super) fn execution(event: &Event, data: &Object, out: &mut Writer) {
    let run = ["run", "execution"];
    out.field("event", "status_changed");
    out.object("data", |out| {
        out.field("execution_id", &event.execution_id());
        let status = stated(data, &run).unwrap_or(status_by_name(event.name.change_type()));
        out.field("status", status);
        let find = |key| within(data, &run, key);
        out.field("progress_percentage", &progress(data, status));
        for key in ["completed_nodes", "total_nodes", "current_node"] {
            out.first(key, &[find(key)]);
        }
        relations(data, out);
        out.spread(
            data,
            &[
                "execution_id",
                "status",
                "progress_percentage",
                "completed_nodes",
                "total_nodes",
                "current_node",
            ],
        );
    });
    message_of_failure(data, out);
}

fn stated<'d>(data: &'d Object, outer: &[&str]) -> Option<&'d str> {
    within(data, outer, "status").and_then(Value::as_str)
}

pub(super) fn node(event: &Event, data: &Object, out: &mut Writer) {
    let inner = ["nodeState", "node"];
    out.field("event", "status_changed");
    out.object("data", |out| {
        let find = |key| within(data, &inner, key);
        out.field("execution_id", &event.execution_id());
        out.first(
            "node_execution_id",
            &[
                find("node_execution_id"),
                find("nodeExecutionId"),
                data.get("nodeState").and_then(|n| n.get("id")),
            ],
        );
        out.field("node_id", &event.node_id());
        out.first(
            "node_name",
            &[find("node_name"), find("nodeName"), find("name")],
        );
        out.field(
            "status",
            &stated(data, &inner).unwrap_or_else(|| status_by_name(event.name.change_type())),
        );
        out.first(
            "message",
            &[find("message"), find("error"), find("errorMessage")],
        );
        out.spread(
            data,
            &[
                "execution_id",
                "node_execution_id",
                "node_id",
                "node_name",
                "status",
                "message",
            ],
        );
    });
    message_of_failure(data, out);
}

pub(super) fn ingest(event: &Event, data: &Object, out: &mut Writer) {
    let job = ["job"];
    out.object("data", |out| {
        out.field("job_id", &event.job_id());
        for key in ["stage", "progress"] {
            out.first(key, &[within(data, &job, key)]);
        }
        out.field(
            "status",
            &stated(data, &job).unwrap_or_else(|| status_by_name(event.name.change_type())),
        );
        relations(data, out);
        out.spread(
            data,
            &["job_id", "stage", "progress", "status", "errorMessage"],
        );
    });
    message_of_failure(data, out);
}

pub(super) fn agent_run(event: &Event, data: &Object, out: &mut Writer) {
    out.object("data", |out| {
        out.unless_in(data, "run_id", &event.run_id());
        let status = stated(data, &["run", "step"])
            .unwrap_or_else(|| status_by_name(event.name.change_type()));
        out.unless_in(data, "status", status);
        out.unless_in(data, "change_type", event.name.change_type());
        relations(data, out);
        out.spread(data, &["errorMessage"]);
    });
    message_of_failure(data, out);
}

/// The run that began this one, and its session, where the event says them within the run's own object.
fn relations(data: &Object, out: &mut Writer) {
    for (key, id) in [
        ("parent_run_id", parent_run(data)),
        ("session_id", session(data)),
    ] {
        if let Some(id) = id {
            out.unless_in(data, key, id);
        }
    }
}

fn message_of_failure(data: &Object, out: &mut Writer) {
    if let Some(message) = data.get("errorMessage") {
        out.field("errorMessage", message);
    }
}
