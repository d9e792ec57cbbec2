//! The built-in table (contract §4): the updates that an event gives, their urgency, and the keys by which they are
//! coalesced.

use std::{borrow::Cow, sync::Arc, time::Duration};

use serde_json::Value;
use smallvec::{SmallVec, smallvec};

use super::{
    kind::UpdateKind,
    level::notification_level,
    planned::{Coalescing, Destination, Key, Planned, Timing},
    rules::{MAX_RULES_PER_EVENT, Rule},
    seneca,
    status::status_of,
    tool::{tool_call_id, tool_status},
};
use crate::{
    channel::Listening,
    event::{Event, Priority},
};

/// The configuration of the transformation.
#[derive(Debug, Default)]
pub struct TransformOptions {
    /// The window in which updates of one key are coalesced.
    pub throttle: Duration,
    /// The window for message text, which people read as it grows.
    pub text_throttle: Duration,
    /// Rules that add to the table or replace its rows.
    pub rules: Vec<Rule>,
}

/// The table, with the configuration's rules before it.
#[derive(Debug)]
pub struct Table {
    /// The window of all keys but text.
    throttle: Duration,
    /// The window for text, which people read as it grows.
    text_throttle: Duration,
    /// If a rule fits, the row is not used.
    rules: Vec<Arc<Rule>>,
    /// A number for the rules by which updates are coalesced; cursors name it.
    grouping: u32,
}

/// The number of this version's coalescing: the table's rows, their bits and keys, an event's entities and rooms, and
/// the order of updates. A change of any of these needs the next number: otherwise cursors from within a segment would
/// name another place than before (`hub/catchup/coalesce/tests.rs` has the present one).
const GROUPING: u32 = 10;

/// The key by which a row coalesces.
enum By<'a> {
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

struct Row<'a> {
    /// In the order in which they are sent.
    kinds: SmallVec<[UpdateKind; 2]>,
    /// The producer's own priority counts before it.
    priority: Priority,
    by: By<'a>,
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

impl Table {
    /// The table with these settings.
    pub fn new(options: TransformOptions) -> Self {
        let rules = format!("{GROUPING} {:?}", options.rules);
        Self {
            throttle: options.throttle,
            text_throttle: options.text_throttle,
            rules: options.rules.into_iter().map(Arc::new).collect(),
            grouping: fnv(rules.as_bytes()),
        }
    }

    /// A number for the rules by which updates are coalesced: a place within a segment means nothing under other rules.
    pub fn grouping(&self) -> u32 {
        self.grouping
    }

    /// The updates that `event` gives, in the order in which they are sent. Only topics with a listener are planned
    /// for.
    pub fn plan(&self, event: &Event, listening: Listening) -> SmallVec<[Planned; 4]> {
        let mut planned = SmallVec::new();
        if let Some(emission) = &event.emission {
            planned.push(Planned {
                bit: 1,
                kind: UpdateKind::Emission(emission.clone()),
                priority: Priority::Normal,
                timing: Timing::Immediate,
                destination: Destination::Addressed,
            });
            return planned;
        }
        let rules = self.rules.iter().enumerate();
        let fitting = rules.filter(|(_, rule)| rule.matches(event));
        for (nth, (index, rule)) in fitting.take(MAX_RULES_PER_EVENT).enumerate() {
            let mut update = rule.clone().plan(event, self.throttle, index);
            update.bit = 1 << nth;
            planned.push(update);
        }
        if planned.is_empty() {
            self.plan_row(event, row(event), &mut planned);
        }
        for kind in seneca::plan(event, listening) {
            planned.push(Planned {
                bit: 1 << (MAX_RULES_PER_EVENT + kind as usize),
                destination: Destination::Topic(kind.topic()),
                kind: UpdateKind::Seneca(kind),
                priority: event.priority.unwrap_or(Priority::Normal),
                timing: Timing::Immediate,
            });
        }
        planned
    }

    fn plan_row(&self, event: &Event, row: Row<'_>, planned: &mut SmallVec<[Planned; 4]>) {
        let priority = event.priority.unwrap_or(row.priority);
        let (window, how) = match &row.by {
            // This update says that a thing is of its project from now on; the ones that it could be coalesced with
            // don't.
            _ if !event.settled.adopted.is_empty() => (Duration::ZERO, Coalescing::Replace),
            By::Id(_, _, Coalescing::Text) => (self.text_throttle, Coalescing::Text),
            By::Id(_, _, how) => (self.throttle, *how),
            By::Nothing => (Duration::ZERO, Coalescing::Replace),
        };
        planned.extend(
            row.kinds
                .into_iter()
                .enumerate()
                .map(|(nth, kind)| Planned {
                    bit: 1 << nth,
                    kind,
                    priority,
                    timing: match &row.by {
                        By::Id(space, Some(id), _)
                            if priority != Priority::Critical
                                && event.settled.adopted.is_empty() =>
                        {
                            Timing::Coalesced {
                                key: match nth {
                                    0 => Key(format!("{space}/{id}").into()),
                                    _ => Key(format!("{space}#{nth}/{id}").into()),
                                },
                                window,
                                how,
                            }
                        }
                        _ => Timing::Immediate,
                    },
                    destination: Destination::EventRooms,
                }),
        );
    }
}

/// A short number for some bytes, the same in every process.
fn fnv(bytes: &[u8]) -> u32 {
    bytes.iter().fold(0x811c_9dc5, |hash, byte| {
        (hash ^ u32::from(*byte)).wrapping_mul(0x0100_0193)
    })
}

/// The row of an event. The first arm that fits is its row, as in the contract's table from top to bottom.
///
/// Events are coalesced only with events of the same name. Another name says another fact of the thing, which a client
/// that folds the updates would never get; and a client that wants only one of the two names would miss the coalesced
/// update.
fn row(event: &Event) -> Row<'_> {
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
        ["agent", "run", ..] if is_start(change) => {
            Row::at_once(UpdateKind::AgentRun, Priority::Normal)
        }
        ["agent", "run", ..] => Row::new(
            UpdateKind::AgentRun,
            Priority::Normal,
            By::id(name, event.run_id(), Coalescing::Fields),
        ),
        ["agent", "step", "updated"] => step(event),
        ["agent", "message", "appended"] => Row::new(
            UpdateKind::Message,
            Priority::Low,
            By::id("text", event.message_id(), Coalescing::Text),
        ),
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
        ["tool", _] if tool_status(&event.name).is_some() => tool(event),
        ["visual", kind, "update" | "refresh"] => visual(event, kind),
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
    let id = id
        .or_else(|| event.data.get("step_id"))
        .and_then(Value::as_str);
    match status_of(event, &["step"]).as_deref() {
        Some(status) if is_end(status) => Row::at_once(UpdateKind::AgentRun, Priority::High),
        _ => Row::new(
            UpdateKind::AgentRun,
            Priority::Normal,
            By::id("step", id.or(event.run_id()), Coalescing::Fields),
        ),
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
