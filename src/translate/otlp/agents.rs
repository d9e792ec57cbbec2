//! Agents: whether one works follows from the latest that is known of its work in each trace.

use std::{collections::HashMap, sync::Arc};

use super::{
    meaning::Named,
    span::{SpanId, SpanKey, TraceId, moment},
    telling::{Teller, event_id},
};

/// An agent, by all that is known of it.
#[derive(Debug)]
pub(super) struct Agent {
    id: Arc<str>,
    name: String,
    is_node: bool,
    /// What it is for, and the start of the span that says so: the last one counts.
    role: Option<(u64, Arc<str>)>,
    /// The end of its last task, the span, and whether it asks.
    last_task: Option<(u64, SpanId, bool)>,
    work: HashMap<TraceId, Work>,
    /// The traces in which it works.
    working: usize,
    /// Whether a trace that it worked in is over.
    was_over: bool,
    /// The latest moment that is known of it.
    moment: u64,
    told: ToldAgent,
}

/// Its work in one trace.
#[derive(Debug, Default)]
struct Work {
    /// The last end of a part of a task whose end is not known.
    part: u64,
    /// The last end of a task.
    task: u64,
    is_over: bool,
    /// Remembered spans that name the agent.
    spans: usize,
}

impl Work {
    fn goes_on(&self) -> bool {
        !self.is_over && self.part > self.task
    }
}

/// The told facts of an agent.
#[derive(Debug, Clone, Default)]
pub(super) struct ToldAgent {
    /// The name, whether it is a node, and what it is for.
    arrival: Option<(String, bool, Option<Arc<str>>)>,
    status: Option<&'static str>,
}

impl Agent {
    pub(super) fn new(named: &Named) -> Self {
        Self {
            id: named.id.clone(),
            name: named.name.clone(),
            is_node: named.is_node,
            role: None,
            last_task: None,
            work: HashMap::new(),
            working: 0,
            was_over: false,
            moment: 0,
            told: ToldAgent::default(),
        }
    }

    /// A span names it, and may say what it is for.
    pub(super) fn see(&mut self, named: &Named, role: Option<String>, start: u64) {
        // Of names that give one id the first in order stays, and an agent is more than a node.
        if named.name < self.name {
            self.name.clone_from(&named.name);
        }
        self.is_node &= named.is_node;
        if let Some(role) = role {
            let new = (start, role.into());
            self.role = self.role.take().max(Some(new));
        }
        self.moment = self.moment.max(start);
    }

    /// A part of a task ended, and the task itself may go on.
    pub(super) fn part(&mut self, trace: TraceId, end: u64) {
        self.in_trace(trace, |work| work.part = work.part.max(end));
        self.moment = self.moment.max(end);
    }

    /// A task ended.
    pub(super) fn task(&mut self, trace: TraceId, end: u64, span: SpanId, asks: bool) {
        self.in_trace(trace, |work| work.task = work.task.max(end));
        self.last_task = self.last_task.max(Some((end, span, asks)));
        self.moment = self.moment.max(end);
    }

    /// A trace is over: all tasks in it are.
    pub(super) fn over(&mut self, trace: TraceId) {
        self.in_trace(trace, |work| work.is_over = true);
        self.was_over = true;
    }

    /// Changes its work in a trace. Whether it works anywhere is known without a look at all traces.
    fn in_trace(&mut self, trace: TraceId, change: impl FnOnce(&mut Work)) {
        let work = self.work.entry(trace).or_default();
        let before = work.goes_on();
        change(work);
        let after = work.goes_on();
        self.working = self.working + usize::from(after) - usize::from(before);
    }

    /// Notes that one more span of a trace is remembered which names it.
    pub(super) fn count(&mut self, trace: TraceId) {
        self.in_trace(trace, |work| work.spans += 1);
    }

    /// Notes that one of these is forgotten. Says whether it was the trace's last one: its work there counts as over.
    pub(super) fn uncount(&mut self, trace: TraceId) -> bool {
        self.in_trace(trace, |work| work.spans = work.spans.saturating_sub(1));
        let is_last = self.work.get(&trace).is_some_and(|work| work.spans == 0);
        if is_last {
            self.in_trace(trace, |work| work.is_over = true);
            self.work.remove(&trace);
        }
        is_last
    }

    /// Whether no span is remembered that names it.
    pub(super) fn is_forgotten(&self) -> bool {
        self.work.is_empty()
    }

    /// About how many bytes its texts hold.
    pub(super) fn held(&self) -> usize {
        let role = self.role.as_ref().map_or(0, |(_, role)| role.len());
        2 * (self.name.len() + role)
    }

    /// Whether it was told that it is there.
    pub(super) fn is_there(&self) -> bool {
        self.told.arrival.is_some()
    }

    pub(super) fn told(&self) -> ToldAgent {
        self.told.clone()
    }

    pub(super) fn untell(&mut self, told: ToldAgent) {
        self.told = told;
    }

    fn status(&self) -> Option<&'static str> {
        if self.working > 0 {
            return Some("working");
        }
        match self.last_task {
            Some((_, _, true)) => Some("waiting"),
            Some(_) => Some("idle"),
            None if self.was_over => Some("idle"),
            None => None,
        }
    }

    /// Tells that it is there, where that is not told yet.
    pub(super) fn arrive(&mut self, start: u64, span: SpanKey, to: &mut Teller<'_>) {
        let role = self.role.as_ref().map(|(_, role)| role.clone());
        let arrival = (self.name.clone(), self.is_node, role.clone());
        if self.told.arrival.as_ref() == Some(&arrival) {
            return;
        }
        self.told.arrival = Some(arrival);
        let kind = if self.is_node { "node" } else { "agent" };
        let event = to
            .event("agent.registered")
            .with("agent_id", &*self.id)
            .with("agent_name", self.name.as_str())
            .with("kind", kind)
            .with_some("role", role.as_deref());
        to.tell(event.id(event_id(span, "agent")).at(moment(start)), span);
    }

    /// Tells its status, where it is another one than was told.
    pub(super) fn tell(&mut self, span: SpanKey, to: &mut Teller<'_>) {
        let status = self.status();
        let Some(new) = status.filter(|_| status != self.told.status) else {
            return;
        };
        let event = to
            .event("agent.status.changed")
            .with("agent_id", &*self.id)
            .with_some("old_status", self.told.status)
            .with("new_status", new);
        self.told.status = status;
        // More than one span may tell of an agent's status.
        let id = event_id(span, &format!("{new}:{}", short(&self.id)));
        to.tell(event.id(id).at(moment(self.moment)), span);
    }
}

/// A few letters that tell an agent or a project from others.
pub(super) fn short(id: &str) -> String {
    id.chars()
        .rev()
        .take(40)
        .collect::<Vec<_>>()
        .into_iter()
        .rev()
        .collect()
}
