//! A trace, and the chain of parents in it.

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
    time::Instant,
};

use super::{
    agents::Agent,
    meaning::Meaning,
    runs::{Root, Run},
    span::{Span, SpanId, SpanKey},
    table::Kind,
    things::{Handed, Thing},
    waiters::Waiters,
};

/// Ancestors that are looked at.
const MAX_CHAIN: usize = 256;
/// Projects in which one trace is a run.
pub(super) const MAX_RUNS: usize = 16;
/// Bytes of a trace beside its texts, and of one of its runs.
const TRACE: usize = 512;
const RUN: usize = 512;

/// The facts of a span that its descendants need.
#[derive(Debug, Clone)]
pub(super) struct Memo {
    pub(super) parent: Option<SpanId>,
    pub(super) project: Arc<str>,
    pub(super) agent: Option<Arc<str>>,
    pub(super) task: Option<Arc<str>>,
    pub(super) is_agent: bool,
    pub(super) is_ended: bool,
    pub(super) is_told: bool,
    /// Whether its agent counts it.
    pub(super) is_counted: bool,
    /// About how many bytes it holds.
    pub(super) held: usize,
}

impl Memo {
    pub(super) fn of(span: &Span, meaning: &Meaning) -> Self {
        Self {
            parent: span.parent,
            project: meaning.project.clone(),
            agent: meaning.agent.as_ref().map(|agent| agent.id.clone()),
            task: meaning.task.clone(),
            is_agent: meaning.kind == Some(Kind::Agent),
            is_ended: true,
            is_told: meaning.kind.is_none(),
            is_counted: false,
            held: meaning.held(),
        }
    }
}

/// A trace, by all that is known of it.
#[derive(Debug)]
pub(super) struct Trace {
    pub(super) spans: HashMap<SpanId, Memo>,
    pub(super) waiters: Waiters,
    /// The hand-offs that wait, by the span that was handed over to.
    pub(super) handed: HashMap<SpanId, Handed>,
    root: Option<Root>,
    /// The outermost span of a program that another one called, and its parent there.
    local_root: Option<(Root, SpanId)>,
    pub(super) runs: HashMap<Arc<str>, Run>,
    pub(super) agents: HashSet<Thing>,
    pub(super) tasks: HashSet<Thing>,
    /// The agents whose work in it is not over.
    pub(super) at_work: HashSet<Thing>,
    pub(super) touched: Instant,
    /// About how many bytes it and its spans hold.
    pub(super) held: usize,
}

/// The agent and the task around a span.
#[derive(Debug, Default)]
pub(super) struct Around {
    pub(super) agent: Option<Arc<str>>,
    pub(super) task: Option<Arc<str>>,
    /// Whether the span of that agent ended.
    pub(super) is_agent_over: bool,
    /// Ancestors that were looked at.
    pub(super) looked: usize,
    /// The first ancestor that is not known, if the agent's span was not found before it.
    pub(super) missing: Option<SpanId>,
}

impl Trace {
    pub(super) fn new(now: Instant) -> Self {
        Self {
            spans: HashMap::new(),
            waiters: Waiters::default(),
            handed: HashMap::new(),
            root: None,
            local_root: None,
            runs: HashMap::new(),
            agents: HashSet::new(),
            tasks: HashSet::new(),
            touched: now,
            at_work: HashSet::new(),
            held: TRACE,
        }
    }

    /// Remembers a span in place of what was known of it.
    pub(super) fn put(&mut self, id: SpanId, memo: Memo) -> Option<Memo> {
        self.held += memo.held;
        let before = self.spans.insert(id, memo);
        self.held -= before.as_ref().map_or(0, |before| before.held);
        before
    }

    /// Forgets a span.
    pub(super) fn remove(&mut self, id: SpanId) -> Option<Memo> {
        self.handed.remove(&id);
        let memo = self.spans.remove(&id)?;
        self.held -= memo.held;
        Some(memo)
    }

    /// The run of a project, if there is room for it.
    pub(super) fn run(&mut self, project: &Arc<str>) -> Option<&mut Run> {
        if !self.runs.contains_key(project) {
            if self.runs.len() >= MAX_RUNS {
                return None;
            }
            self.held += RUN + project.len();
            self.runs.insert(project.clone(), Run::default());
        }
        self.runs.get_mut(project)
    }

    /// Notes the end of the trace, if the span is it.
    pub(super) fn end(&mut self, span: &Span, meaning: &Meaning) {
        let held = |trace: &Self| {
            let local = trace.local_root.as_ref().map(|(root, _)| root);
            trace
                .root
                .iter()
                .chain(local)
                .map(Root::held)
                .sum::<usize>()
        };
        let before = held(self);
        self.join_root(span, meaning);
        self.held = self.held + held(self) - before;
    }

    fn join_root(&mut self, span: &Span, meaning: &Meaning) {
        match span.parent {
            None => {
                let new = Root::of(span, meaning);
                if self.root.as_ref().is_none_or(|own| new.outlasts(own)) {
                    self.root = Some(new);
                }
            }
            Some(parent) if span.is_local_root() => {
                let new = Root::of(span, meaning);
                let own = self.local_root.as_ref();
                if own.is_none_or(|(own, _)| new.outlasts(own)) {
                    self.local_root = Some((new, parent));
                }
            }
            Some(_) => {}
        }
    }

    /// The end of the trace, as far as this server will ever know it.
    pub(super) fn root(&self) -> Option<&Root> {
        let local = self.local_root.as_ref();
        let local = local.filter(|(_, parent)| !self.spans.contains_key(parent));
        self.root.as_ref().or(local.map(|(root, _)| root))
    }

    /// Tells one end of the trace from another one.
    pub(super) fn root_mark(&self) -> Option<(bool, u64, u64)> {
        let is_own = self.root.is_some();
        self.root().map(|root| (is_own, root.start, root.end))
    }

    /// Notes an agent that one of its spans names.
    pub(super) fn see(&mut self, (id, span): SpanKey, thing: &Thing, agent: &mut Agent) {
        if let Some(memo) = self.spans.get_mut(&span)
            && !memo.is_counted
        {
            memo.is_counted = true;
            agent.count(id);
        }
        self.agents.insert(thing.clone());
        if self.root().is_some() {
            agent.over(id);
        } else {
            self.at_work.insert(thing.clone());
        }
    }

    /// The agent and the task around the children of a span.
    pub(super) fn around(&self, parent: Option<SpanId>) -> Around {
        let mut around = Around::default();
        let mut at = parent;
        for _ in 0..MAX_CHAIN {
            let Some(id) = at else { break };
            around.looked += 1;
            let Some(memo) = self.spans.get(&id) else {
                around.missing = Some(id);
                break;
            };
            if around.agent.is_none() {
                around.agent.clone_from(&memo.agent);
            }
            if around.task.is_none() {
                around.task.clone_from(&memo.task);
            }
            if memo.is_agent {
                around.is_agent_over = memo.is_ended;
                break;
            }
            at = memo.parent;
        }
        around
    }
}
