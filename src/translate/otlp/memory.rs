//! The memory of one producer's spans, and what follows from them.

use std::{
    collections::{HashMap, HashSet, VecDeque},
    sync::Arc,
    time::{Duration, Instant},
};

use super::{
    agents::Agent,
    calls::{self, Place},
    hex,
    meaning::{Ended, Meaning, Named},
    span::{Span, SpanId, TraceId},
    table::{Fact, Kind},
    tasks::{Attempt, Task},
    telling::{Events, Teller},
    things::{Handed, Thing, Waiter},
    trace::{Around, Memo, Trace},
    undo::Undo,
};
use crate::translate::{Told, Words, slug};

/// Characters of a project in the id of an event.
const PROJECT: usize = 100;

/// The limits on a memory, and the manner in which it tells.
#[derive(Debug, Clone, Copy)]
pub struct MemoryLimits {
    /// The time that a span waits for the parent that tells its agent.
    pub wait: Duration,
    /// Bytes that waiting spans may hold.
    pub waiting_bytes: usize,
    /// The time for which a trace is remembered after its last span.
    pub keep: Duration,
    /// The texts that are taken over.
    pub words: Words,
}

/// The fate of a span.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// It gave events, or gives them as soon as its parent is known.
    Taken,
    /// It is only a link between others.
    Ignored,
    /// It came before.
    Repeated,
}

/// Events, each with the span that gave it.
#[derive(Debug, Default)]
pub struct Taking {
    pub(super) events: Events,
}

impl Taking {
    /// The count of the events.
    pub fn len(&self) -> usize {
        self.events.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.events.is_empty()
    }

    /// The events, each with the number of its span.
    pub fn into_events(self) -> impl Iterator<Item = (Told, u64)> {
        self.events.into_iter()
    }
}

/// The memory of one producer's spans.
#[derive(Debug)]
pub struct Memory {
    pub(super) limits: MemoryLimits,
    pub(super) traces: HashMap<TraceId, Trace>,
    pub(super) agents: HashMap<Thing, Agent>,
    pub(super) tasks: HashMap<Thing, Task>,
    pub(super) projects: HashSet<Arc<str>>,
    /// Spans without an agent whose parents are not known.
    pub(super) waiting: HashMap<(TraceId, SpanId), Box<Span>>,
    pub(super) waiting_bytes: usize,
    /// The same spans in the order in which they came, with the end of their waiting.
    pub(super) deadlines: VecDeque<(Instant, TraceId, SpanId)>,
    /// All spans in the order in which they came.
    pub(super) order: VecDeque<(TraceId, SpanId)>,
    pub(super) undo: Vec<Undo>,
}

impl Memory {
    /// An empty memory.
    pub fn new(limits: MemoryLimits) -> Self {
        Self {
            limits,
            traces: HashMap::new(),
            agents: HashMap::new(),
            tasks: HashMap::new(),
            projects: HashSet::new(),
            waiting: HashMap::new(),
            waiting_bytes: 0,
            deadlines: VecDeque::new(),
            order: VecDeque::new(),
            undo: Vec::new(),
        }
    }

    /// The spans that are remembered.
    pub fn len(&self) -> usize {
        self.order.len()
    }

    /// Whether no span is remembered.
    pub fn is_empty(&self) -> bool {
        self.order.is_empty()
    }

    /// The time at which the first of the waiting spans goes without its parent.
    pub fn deadline(&mut self) -> Option<Instant> {
        while let Some((deadline, trace, span)) = self.deadlines.front() {
            if self.waiting.contains_key(&(*trace, *span)) {
                return Some(*deadline);
            }
            self.deadlines.pop_front();
        }
        None
    }

    /// Takes a span that ended, and adds the events that follow from it and from all before.
    pub fn take(&mut self, span: &Span, now: Instant, to: &mut Taking) -> Outcome {
        let (trace_id, id) = (span.trace, span.id);
        let meaning = Meaning::of(span);
        let trace = self
            .traces
            .entry(trace_id)
            .or_insert_with(|| Trace::new(now));
        trace.touched = now;
        if span.text(Fact::SpanType) == Some("pending_span") {
            self.begin(span, &meaning);
            return Outcome::Ignored;
        }
        let memo = Memo {
            parent: span.parent,
            project: meaning.project.clone(),
            agent: meaning.agent.as_ref().map(|agent| agent.id.clone()),
            task: meaning.task.clone(),
            is_agent: meaning.kind == Some(Kind::Agent),
            is_ended: true,
            is_told: meaning.kind.is_none(),
        };
        match trace.spans.get_mut(&id) {
            Some(known) if known.is_told && known.is_ended => return Outcome::Repeated,
            Some(_) if self.waiting.contains_key(&(trace_id, id)) => return Outcome::Repeated,
            Some(known) => *known = memo,
            None => {
                trace.spans.insert(id, memo);
                self.order.push_back((trace_id, id));
            }
        }
        trace.end(span, &meaning);
        let events = &mut to.events;
        if meaning.kind.is_some() {
            self.tell_span(span, &meaning, now, events);
        }
        self.tell_waiters(trace_id, id, events);
        self.tell_trace(trace_id, id, &meaning, events);
        while self.waiting_bytes > self.limits.waiting_bytes && self.tell_next(events) {}
        match meaning.kind {
            Some(_) => Outcome::Taken,
            None => Outcome::Ignored,
        }
    }

    /// Adds the events of spans that waited long enough.
    pub fn overdue(&mut self, now: Instant, to: &mut Taking) -> usize {
        let mut count = 0;
        while self.deadline().is_some_and(|deadline| deadline <= now) {
            count += usize::from(self.tell_next(&mut to.events));
        }
        count
    }

    /// Notes the begin of a span: its children know it before it ends.
    fn begin(&mut self, span: &Span, meaning: &Meaning) {
        let Some(id) = span.parent else { return };
        let parent = span.text(Fact::PendingParent).and_then(hex::span_of);
        let task = meaning.kind == Some(Kind::Agent);
        let task = task.then(|| Arc::from(hex::span_text(id)));
        let memo = Memo {
            parent,
            project: meaning.project.clone(),
            agent: meaning.agent.as_ref().map(|agent| agent.id.clone()),
            is_agent: task.is_some(),
            task,
            is_ended: false,
            is_told: false,
        };
        if let Some(trace) = self.traces.get_mut(&span.trace)
            && !trace.spans.contains_key(&id)
        {
            trace.spans.insert(id, memo);
            self.order.push_back((span.trace, id));
        }
    }

    fn teller<'t>(&self, meaning: &Meaning, events: &'t mut Events) -> Teller<'t> {
        Teller {
            project: meaning.project.clone(),
            source: meaning.source.clone(),
            words: self.limits.words,
            events,
        }
    }

    fn tell_span(&mut self, span: &Span, meaning: &Meaning, now: Instant, events: &mut Events) {
        let Some(trace) = self.traces.get_mut(&span.trace) else {
            return;
        };
        let around = trace.around(span.parent);
        let has_own = meaning.agent.is_some() || around.agent.is_some();
        let run = trace.runs.entry(meaning.project.clone()).or_default();
        run.see(span.start);
        let finds_none = matches!(meaning.kind, Some(Kind::Agent | Kind::NewAgent | Kind::Run));
        if let (false, false, Some(missing)) = (has_own, finds_none, around.missing)
            && !self.limits.wait.is_zero()
        {
            trace
                .waiters
                .entry(missing)
                .or_default()
                .push(Waiter::Span(span.id));
            self.waiting_bytes += span.held();
            let deadline = now + self.limits.wait;
            self.deadlines.push_back((deadline, span.trace, span.id));
            self.waiting
                .insert((span.trace, span.id), Box::new(span.clone()));
            return;
        }
        self.tell_found(span, meaning, &around, events);
    }

    /// Tells a span whose surroundings are known, as far as they ever will be.
    pub(super) fn tell_found(
        &mut self,
        span: &Span,
        meaning: &Meaning,
        around: &Around,
        events: &mut Events,
    ) {
        let mut teller = self.teller(meaning, events);
        if self.projects.insert(meaning.project.clone()) {
            self.undo.push(Undo::Project(meaning.project.clone()));
            // Without a time: the same event, whichever span comes first.
            let event = teller.event("project.created");
            let event = event.with("project_name", &*meaning.project);
            let project: String = slug(&meaning.project).chars().take(PROJECT).collect();
            teller.tell(event.id(format!("otel:project:{project}")), span.id);
        }
        if let Some(trace) = self.traces.get_mut(&span.trace) {
            if let Some(memo) = trace.spans.get_mut(&span.id) {
                memo.is_told = true;
                self.undo.push(Undo::Span(span.trace, span.id));
            }
            if let Some(run) = trace.runs.get_mut(&meaning.project)
                && run.told().is_none()
            {
                self.undo
                    .push(Undo::Run(span.trace, meaning.project.clone(), None));
                run.tell((span.trace, None), false, span.id, &mut teller);
            }
        }
        if let Some(named) = &meaning.agent {
            self.tell_agent(span, meaning, named, around, events);
        }
        let place = Place::of(span, meaning, around);
        let mut teller = self.teller(meaning, events);
        calls::tell(span, meaning, &place, &mut teller);
    }

    fn tell_agent(
        &mut self,
        span: &Span,
        meaning: &Meaning,
        named: &Named,
        around: &Around,
        events: &mut Events,
    ) {
        let thing = (meaning.project.clone(), named.id.clone());
        let task = meaning
            .task
            .as_ref()
            .filter(|_| meaning.kind == Some(Kind::Agent));
        let agent = self
            .agents
            .entry(thing.clone())
            .or_insert_with(|| Agent::new(named));
        self.undo.push(Undo::Agent(thing.clone(), agent.told()));
        agent.see(named, span.text(Fact::Role), span.start);
        if let Some(trace) = self.traces.get_mut(&span.trace) {
            trace.agents.insert(thing.clone());
        }
        let asks = matches!(meaning.ended, Ended::Asked(_));
        match (task, meaning.kind) {
            (Some(_), _) => agent.task(span.trace, span.end, span.id, asks),
            // An agent that is made does not work yet, and a part of a task that is over tells nothing of its agent.
            (None, Some(Kind::NewAgent)) => agent.part(span.trace, 0),
            (None, _) if around.is_agent_over => agent.part(span.trace, 0),
            (None, _) => agent.part(span.trace, span.end),
        }
        let mut teller = Teller {
            project: meaning.project.clone(),
            source: meaning.source.clone(),
            words: self.limits.words,
            events,
        };
        agent.arrive(span.start, span.id, &mut teller);
        if let Some(task) = task {
            self.tell_task(span, meaning, named, task, events);
            let handed = Handed {
                span: span.id,
                start: span.start,
                project: meaning.project.clone(),
                source: meaning.source.clone(),
                agent: named.id.clone(),
                task: Some(task.clone()),
            };
            self.tell_handed(span.trace, handed, events);
        }
        let mut teller = self.teller(meaning, events);
        if let Some(agent) = self.agents.get_mut(&thing) {
            agent.tell(span.id, &mut teller);
        }
    }

    fn tell_task(
        &mut self,
        span: &Span,
        meaning: &Meaning,
        named: &Named,
        task: &Arc<str>,
        events: &mut Events,
    ) {
        let mut teller = self.teller(meaning, events);
        let thing = (meaning.project.clone(), task.clone());
        if let Some(trace) = self.traces.get_mut(&span.trace) {
            trace.tasks.insert(thing.clone());
        }
        let known = self.tasks.entry(thing.clone()).or_insert_with(|| {
            let name = calls::task_name(span, named, self.limits.words);
            Task::new(task.clone(), name, named.id.clone())
        });
        self.undo.push(Undo::Task(thing, known.told()));
        known.join(Attempt {
            span: span.id,
            trace: span.trace,
            start: span.start,
            end: span.end,
            ended: meaning.ended.clone(),
        });
        known.tell(span.id, &mut teller);
        // Its question is answered in another trace, whose run was paused until then.
        let others: Vec<TraceId> = known.traces().filter(|of| *of != span.trace).collect();
        for other in others {
            self.tell_runs(other, span.id, meaning, events);
        }
    }
}
