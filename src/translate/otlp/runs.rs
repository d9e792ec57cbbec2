//! Runs: a trace is one, in each project that it works for.

use std::{collections::HashSet, sync::Arc};

use super::{
    agents::short,
    hex,
    meaning::{Ended, Fault, Meaning, bare, session},
    span::{Span, SpanKey, TraceId, milliseconds, moment},
    table::Fact,
    telling::{Teller, event_id},
};
use crate::translate::{Told, one_line, slug};

/// The end of a trace: the span that has no other above it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Root {
    name: String,
    pub(super) start: u64,
    pub(super) end: u64,
    fault: Option<Fault>,
    session: Option<String>,
    before: Option<TraceId>,
}

impl Root {
    pub(super) fn of(span: &Span, meaning: &Meaning) -> Self {
        let named = span.text(Fact::WorkflowName);
        let agent = meaning.agent.as_ref().filter(|agent| !agent.is_node);
        let agent = agent.map(|agent| agent.name.as_str());
        let name = named.or(agent).unwrap_or_else(|| bare(&span.name));
        Self {
            name: one_line(name),
            start: span.start,
            end: span.end,
            fault: match &meaning.ended {
                Ended::Failed(fault) => Some(fault.clone()),
                Ended::Done | Ended::Asked(_) => None,
            },
            session: session(span),
            before: span.linked,
        }
    }

    /// The bytes of its texts.
    pub(super) fn held(&self) -> usize {
        let fault = self.fault.as_ref().map_or(0, |fault| fault.message.len());
        let session = self.session.as_ref().map_or(0, String::len);
        size_of::<Self>() + self.name.len() + session + fault
    }

    /// Of two roots of one trace the one that lasted longer is its.
    pub(super) fn outlasts(&self, other: &Self) -> bool {
        let length = |root: &Self| (root.end - root.start, root.start);
        length(self) > length(other)
    }
}

/// The run of a trace in one project.
#[derive(Debug, Default)]
pub(super) struct Run {
    /// The start of the first span of agents.
    first: Option<u64>,
    told: Option<ToldRun>,
    /// Its tasks that wait for an answer.
    pub(super) asking: HashSet<Arc<str>>,
}

/// The told facts of a run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct ToldRun {
    status: &'static str,
    started: u64,
    root: Option<Root>,
}

impl Run {
    pub(super) fn see(&mut self, start: u64) {
        self.first = Some(self.first.map_or(start, |first| first.min(start)));
    }

    pub(super) fn told(&self) -> Option<ToldRun> {
        self.told.clone()
    }

    pub(super) fn is_told(&self) -> bool {
        self.told.is_some()
    }

    pub(super) fn untell(&mut self, told: Option<ToldRun>) {
        self.told = told;
    }

    /// Tells the difference between what is known and what was told.
    pub(super) fn tell(
        &mut self,
        (trace, root): (TraceId, Option<&Root>),
        span: SpanKey,
        to: &mut Teller<'_>,
    ) {
        let Some(first) = self.first else { return };
        let now = ToldRun {
            status: match root {
                None => "running",
                Some(root) if root.fault.is_some() => "failed",
                Some(_) if !self.asking.is_empty() => "paused",
                Some(_) => "completed",
            },
            started: root.map_or(first, |root| first.min(root.start)),
            root: root.cloned(),
        };
        let before = self.told.replace(now.clone());
        if before.as_ref() == Some(&now) {
            return;
        }
        let about = |name: &'static str, to: &Teller<'_>| -> Told {
            let event = to
                .event(name)
                .with("run_id", hex::trace_text(trace))
                .with("started_at", moment(now.started).to_string());
            let Some(root) = &now.root else { return event };
            event
                .with("name", root.name.as_str())
                .with_some("session_id", root.session.clone())
                .with_some("parent_run_id", root.before.map(hex::trace_text))
        };
        let started = moment(now.started);
        let was = before.as_ref().map(|before| before.status);
        if was.is_none() {
            let event = about("workflow.run.started", to);
            to.tell(event.id(event_id(span, "run")).at(started), span);
        }
        let name = match now.status {
            _ if was == Some(now.status) => "workflow.run.updated",
            "failed" => "workflow.run.failed",
            "paused" => "workflow.run.paused",
            "completed" => "workflow.run.completed",
            _ => return,
        };
        let mut event = about(name, to);
        let mut at = started;
        if let Some(root) = &now.root {
            event = event.with("duration_ms", milliseconds(root.end - root.start));
            at = moment(root.end);
        }
        if let Some(fault) = now.root.as_ref().and_then(|root| root.fault.as_ref()) {
            event = to.fault(event, fault);
        }
        // More than one span may tell of a run, and a span of more than one.
        let project = slug(&to.project);
        let run = format!("{:08x}:{}", trace as u32, short(&project));
        let id = event_id(span, &format!("run.{}:{run}", now.status));
        to.tell(event.id(id).at(at), span);
    }
}
