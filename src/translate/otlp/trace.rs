//! A trace, and the chain of parents in it.

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
    time::Instant,
};

use super::{
    meaning::Meaning,
    runs::{Root, Run},
    span::{Span, SpanId},
    things::{Thing, Waiter},
};

/// Ancestors that are looked at.
const MAX_CHAIN: usize = 1_000;

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
}

/// A trace, by all that is known of it.
#[derive(Debug)]
pub(super) struct Trace {
    pub(super) spans: HashMap<SpanId, Memo>,
    /// Spans and hand-offs that wait, by the span that they wait for.
    pub(super) waiters: HashMap<SpanId, Vec<Waiter>>,
    root: Option<Root>,
    /// The outermost span of a program that another one called, and its parent there.
    local_root: Option<(Root, SpanId)>,
    pub(super) runs: HashMap<Arc<str>, Run>,
    pub(super) agents: HashSet<Thing>,
    pub(super) tasks: HashSet<Thing>,
    pub(super) touched: Instant,
}

/// The agent and the task around a span.
#[derive(Debug, Default)]
pub(super) struct Around {
    pub(super) agent: Option<Arc<str>>,
    pub(super) task: Option<Arc<str>>,
    /// Whether the span of that agent ended.
    pub(super) is_agent_over: bool,
    /// The first ancestor that is not known, if the agent's span was not found before it.
    pub(super) missing: Option<SpanId>,
}

impl Trace {
    pub(super) fn new(now: Instant) -> Self {
        Self {
            spans: HashMap::new(),
            waiters: HashMap::new(),
            root: None,
            local_root: None,
            runs: HashMap::new(),
            agents: HashSet::new(),
            tasks: HashSet::new(),
            touched: now,
        }
    }

    /// Notes the end of the trace, if the span is it.
    pub(super) fn end(&mut self, span: &Span, meaning: &Meaning) {
        match span.parent {
            None => Root::join(&mut self.root, Root::of(span, meaning)),
            Some(parent) if span.is_local_root() => {
                let mut local = self.local_root.take().map(|(root, _)| root);
                Root::join(&mut local, Root::of(span, meaning));
                self.local_root = local.map(|root| (root, parent));
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

    /// The agent and the task around the children of a span.
    pub(super) fn around(&self, parent: Option<SpanId>) -> Around {
        let mut around = Around::default();
        let mut at = parent;
        for _ in 0..MAX_CHAIN {
            let Some(id) = at else { break };
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
