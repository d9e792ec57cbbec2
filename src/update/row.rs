//! The rows of the built-in table: the kinds of an event's updates, their urgency, and the key by which they are coalesced.

use std::borrow::Cow;

use serde_json::Value;
use smallvec::{SmallVec, smallvec};

use super::{
    artifact::artifact_id,
    input::input_status,
    kind::UpdateKind,
    level::notification_level,
    message,
    model_call::is_total,
    plan::plan_id,
    planned::Coalescing,
    status::status_of,
    tool::{tool_call_id, tool_status},
};
use crate::event::{Event, Priority, id_of};

/// The key by which a row coalesces.
pub(super) enum By<'a> {
    /// Never.
    Nothing,
    /// This id within this name space of keys; never if the event lacks the id.
    Id(Cow<'a, str>, Option<Cow<'a, str>>, Coalescing),
}

impl<'a> By<'a> {
    fn id(
        space: impl Into<Cow<'a, str>>,
        id: Option<impl Into<Cow<'a, str>>>,
        how: Coalescing,
    ) -> Self {
        Self::Id(space.into(), id.map(Into::into), how)
    }
}

/// A row of the table.
pub(super) struct Row<'a> {
    /// In the order in which they are sent.
    pub(super) kinds: SmallVec<[UpdateKind; 2]>,
    /// The producer's own priority counts before it.
    pub(super) priority: Priority,
    pub(super) by: By<'a>,
}

impl<'a> Row<'a> {
    fn new(kind: UpdateKind, priority: Priority, by: By<'a>) -> Self {
        Self {
            kinds: smallvec![kind],
            priority,
            by,
        }
    }

    /// A start, an end, a failure, a decision, an assignment: always goes at once.
    fn at_once(kind: UpdateKind, priority: Priority) -> Self {
        Self::new(kind, priority, By::Nothing)
    }
}

/// The row of an event. The first arm that fits is its row, as in the contract's table from top to bottom.
///
/// Events are coalesced only with events of the same name. Another name says another fact of the thing, which a client
/// that folds the updates would never get; and a client that wants only one of the two names would miss the coalesced
/// update.
pub(super) fn row(event: &Event) -> Row<'_> {
    let name = event.name.canonical();
    let segments: SmallVec<[&str; 6]> = name.split('.').collect();
    let change = event.name.change_type();
    match segments.as_slice() {
        ["agent", "status", "changed"] => Row {
            kinds: smallvec![UpdateKind::AgentStatusChange, UpdateKind::Agent],
            priority: Priority::Normal,
            by: By::id(name, event.agent_id(), Coalescing::Fields),
        },
        ["agent", "run", ..] if is_end(change) => {
            Row::at_once(UpdateKind::AgentRun, Priority::High)
        }
        ["agent", "run", ..] if is_pause(change) => {
            Row::at_once(UpdateKind::AgentRun, Priority::High)
        }
        ["agent", "run", ..] if is_start(change) => {
            Row::at_once(UpdateKind::AgentRun, Priority::Normal)
        }
        ["agent", "run", ..] => Row::new(
            UpdateKind::AgentRun,
            Priority::Normal,
            By::id(name, event.run_id(), Coalescing::Fields),
        ),
        ["agent", "step", "updated"] => step(event),
        ["agent", "message" | "reasoning", _] if message::turn(event).is_some() => text(event),
        ["agent", "handoff"] => Row::at_once(UpdateKind::Handoff, Priority::High),
        // The whole name, not only its last word: `role.changed` must not swallow `skill.changed`.
        ["agent", ..] if is_start(change) || is_end(change) => {
            Row::at_once(UpdateKind::Agent, Priority::Normal)
        }
        ["agent", ..] => Row::new(
            UpdateKind::Agent,
            Priority::Normal,
            By::id(name, event.agent_id(), Coalescing::Fields),
        ),
        ["project", ..] if is_start(change) || is_end(change) => {
            Row::at_once(UpdateKind::Project, Priority::Normal)
        }
        ["project", ..] => Row::new(
            UpdateKind::Project,
            Priority::Normal,
            By::id(
                report_space(event, name),
                event.project_id.as_deref(),
                Coalescing::Fields,
            ),
        ),
        ["task", "assigned" | "assignment"] => {
            Row::at_once(UpdateKind::TaskAssignment, Priority::High)
        }
        ["task", "progress"] | ["progress", "update"] => Row::new(
            UpdateKind::Progress,
            Priority::Normal,
            By::id(
                progress_space(event, name),
                event.task_id(),
                Coalescing::Fields,
            ),
        ),
        ["task", "retried"] => Row::at_once(UpdateKind::Task, Priority::Normal),
        ["task", "completed" | "blocked"] | ["blocker", "reported" | "report"] => {
            Row::at_once(UpdateKind::Task, Priority::High)
        }
        ["task", ..] if is_start(change) || is_end(change) => {
            Row::at_once(UpdateKind::Task, Priority::Normal)
        }
        ["task", ..] => Row::new(
            UpdateKind::Task,
            Priority::Normal,
            By::id(name, event.task_id(), Coalescing::Fields),
        ),
        ["decision", ..] | ["pm", "decision"] => {
            Row::at_once(UpdateKind::Decision, Priority::Normal)
        }
        ["system", "health", "changed"] => {
            let critical = event.data.get("severity").and_then(Value::as_str) == Some("critical");
            Row::at_once(
                UpdateKind::Health,
                if critical {
                    Priority::Critical
                } else {
                    Priority::High
                },
            )
        }
        ["system" | "kanban", ..] | ["error" | "warning"] => {
            let error = matches!(notification_level(event), "error" | "critical");
            Row::at_once(
                UpdateKind::Notification,
                if error {
                    Priority::High
                } else {
                    Priority::Normal
                },
            )
        }
        ["workflow", "run", ..] | ["execution", ..] if is_end(change) => {
            Row::at_once(UpdateKind::Execution, Priority::High)
        }
        ["workflow", "run", ..] | ["execution", ..] if is_pause(change) => {
            Row::at_once(UpdateKind::Execution, Priority::High)
        }
        ["workflow", "run", ..] | ["execution", ..] if is_start(change) => {
            Row::at_once(UpdateKind::Execution, Priority::Normal)
        }
        ["workflow", "run", ..] | ["execution", ..] => Row::new(
            UpdateKind::Execution,
            Priority::Normal,
            By::id(name, event.execution_id(), Coalescing::Fields),
        ),
        ["workflow", "node", "state", ..] => node_state(event),
        ["workflow", "node", .., "failed"] => Row::at_once(UpdateKind::Node, Priority::High),
        ["workflow", "node", ..] => Row::at_once(UpdateKind::Node, Priority::Normal),
        ["ingest", "job", ..] if is_end(change) => Row::at_once(UpdateKind::Ingest, Priority::High),
        ["ingest", "job", ..] if is_start(change) => {
            Row::at_once(UpdateKind::Ingest, Priority::Normal)
        }
        ["ingest", "job", ..] => Row::new(
            UpdateKind::Ingest,
            Priority::Normal,
            By::id(name, event.job_id(), Coalescing::Fields),
        ),
        ["artifact", "created" | "deleted"] => Row::at_once(UpdateKind::Artifact, Priority::Normal),
        ["artifact", "updated"] => Row::new(
            UpdateKind::Artifact,
            Priority::Normal,
            By::id("artifact", artifact_id(&event.data), Coalescing::Fields),
        ),
        ["plan", "updated"] => Row::new(
            UpdateKind::Plan,
            Priority::Normal,
            By::id("plan", Some(plan_id(event)), Coalescing::Items),
        ),
        _ if message::line(event).is_some() => Row::at_once(UpdateKind::Message, Priority::Low),
        // The talk of Marcus' machinery: nearly half of his bus.
        ["mcp" | "refresh", ..] | ["ping", "request" | "response"]
            if !matches!(change, "failed" | "error") =>
        {
            Row::at_once(UpdateKind::Generic, Priority::Low)
        }
        ["tool", _] if tool_status(&event.name).is_some() => tool(event),
        ["input", _] if input_status(&event.name).is_some() => {
            Row::at_once(UpdateKind::Input, Priority::High)
        }
        ["llm", "failed"] => Row::at_once(UpdateKind::Model, Priority::High),
        ["llm", "started" | "completed"] if is_total(&event.data) => {
            Row::at_once(UpdateKind::Model, Priority::Low)
        }
        ["llm", "started" | "completed"] => Row::new(
            UpdateKind::Model,
            Priority::Low,
            By::id("llm", event.agent_id(), Coalescing::Calls),
        ),
        ["guardrail", "triggered"] => Row::at_once(UpdateKind::Check, Priority::High),
        ["guardrail", "passed"] | ["eval", "scored"] | ["memory" | "retrieval", _] => {
            Row::at_once(UpdateKind::Check, Priority::Low)
        }
        ["visual", kind, "update" | "refresh"] => visual(event, kind),
        // Messages of other systems that are kept as they are: they are in the history, and no update.
        ["agui" | "vercel" | "langgraph", _, ..] => Row {
            kinds: SmallVec::new(),
            priority: Priority::Low,
            by: By::Nothing,
        },
        _ => Row::at_once(UpdateKind::Generic, Priority::Normal),
    }
}

fn is_end(change: &str) -> bool {
    matches!(
        change,
        "completed"
            | "failed"
            | "cancelled"
            | "canceled"
            | "finished"
            | "error"
            | "deleted"
            | "unregistered"
    )
}

fn is_start(change: &str) -> bool {
    matches!(change, "created" | "started" | "registered")
}

/// A run that waits for somebody, or goes on: no run may seem to be at work while it is not.
fn is_pause(change: &str) -> bool {
    matches!(change, "paused" | "resumed")
}

/// A report with a risk is not coalesced with one without: the risk would seem to be reported again.
fn report_space<'a>(event: &Event, name: &'a str) -> Cow<'a, str> {
    let state = event.data.get("project_state");
    match state.and_then(|state| state.get("risk_level")) {
        Some(Value::String(_)) => format!("{name}.risk").into(),
        _ => name.into(),
    }
}

/// Progress with a status is not coalesced with progress without: the status would seem to be said again.
fn progress_space<'a>(event: &Event, name: &'a str) -> Cow<'a, str> {
    match event.data.get("status") {
        Some(Value::String(_)) => format!("{name}.status").into(),
        _ => name.into(),
    }
}

/// The row of a step: one that says it ended is an end, whatever the event's name.
fn step(event: &Event) -> Row<'_> {
    let id = event
        .data
        .get("step")
        .and_then(|s| s.get("id").or_else(|| s.get("step_id")));
    let id = id.or_else(|| event.data.get("step_id"));
    let id = id.and_then(|id| match id {
        Value::String(id) => Some(Cow::from(id)),
        Value::Number(id) => Some(id_of(id).into()),
        _ => None,
    });
    match status_of(event, &["step"]).as_deref() {
        Some(status) if is_end(status) => Row::at_once(UpdateKind::AgentRun, Priority::High),
        _ => Row::new(
            UpdateKind::AgentRun,
            Priority::Normal,
            By::id(
                "step",
                id.or(event.run_id().map(Cow::from)),
                Coalescing::Fields,
            ),
        ),
    }
}

/// The row of a text: its pieces are joined, its begin and its end go at once.
fn text(event: &Event) -> Row<'_> {
    match message::turn(event) {
        Some(message::Turn::Appended) if !message::is_final(event, &event.data) => Row::new(
            UpdateKind::Message,
            Priority::Low,
            By::id(
                message::key_space(event),
                event.message_id(),
                Coalescing::Text,
            ),
        ),
        _ => Row::at_once(UpdateKind::Message, Priority::Low),
    }
}

/// The row of a tool's call: only its progress is coalesced.
fn tool(event: &Event) -> Row<'_> {
    match event.name.change_type() {
        "progress" => Row::new(
            UpdateKind::Tool,
            Priority::Normal,
            By::id("tool", tool_call_id(&event.data), Coalescing::Fields),
        ),
        "failed" => Row::at_once(UpdateKind::Tool, Priority::High),
        _ => Row::at_once(UpdateKind::Tool, Priority::Normal),
    }
}

fn node_state(event: &Event) -> Row<'_> {
    match status_of(event, &["nodeState", "node"]).as_deref() {
        Some("failed" | "error") => Row::at_once(UpdateKind::Node, Priority::High),
        Some(status) if is_end(status) || status == "started" => {
            Row::at_once(UpdateKind::Node, Priority::Normal)
        }
        _ => Row::new(
            UpdateKind::Node,
            Priority::Normal,
            By::id(event.name.canonical(), event.node_id(), Coalescing::Fields),
        ),
    }
}

fn visual<'e>(event: &'e Event, kind: &str) -> Row<'e> {
    let target = event.data.get("target_id").and_then(Value::as_str);
    let project = event.project_id.as_deref().unwrap_or("-");
    let (id, how) = match kind {
        // Layouts of one flush are one layout, whatever their targets.
        "layout" => (Some(project), Coalescing::Changes),
        "complete" => (Some(project), Coalescing::Replace),
        _ => (target, Coalescing::Changes),
    };
    Row::new(
        UpdateKind::Visual,
        Priority::Normal,
        By::id(event.name.canonical(), id, how),
    )
}
