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
    taking::{Outcome, Taking},
    tasks::{Attempt, Task},
    telling::{Events, Teller},
    things::{Handed, Thing},
    trace::{Around, Memo, Trace},
    undo::Undo,
    unsettled::Unsettled,
};
use crate::{
    config::Content,
    translate::{Words, slug},
};

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
    pub(super) unsettled: Unsettled,
    /// About how many bytes are remembered, beside those that wait.
    pub(super) held: usize,
    /// Spans whose trace was a run in too many projects already.
    runless: usize,
    /// Things that were looked at: work that must not grow with what is remembered.
    pub(super) looked: usize,
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
            unsettled: Unsettled::default(),
            held: 0,
            runless: 0,
            looked: 0,
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

    /// About how many bytes are remembered, beside those of waiting spans.
    pub fn held(&self) -> usize {
        self.held
    }

    /// Says of how many spans the traces were runs in too many projects, since it was asked last.
    pub fn take_runless(&mut self) -> usize {
        std::mem::take(&mut self.runless)
    }

    /// Takes a span that ended, and adds the events that follow from it and from all before.
    pub fn take(&mut self, span: &Span, now: Instant, to: &mut Taking) -> Outcome {
        let mut fate = Outcome::Ignored;
        self.take_all(std::slice::from_ref(span), now, to, |outcome| {
            fate = outcome;
        });
        fate
    }

    /// Takes some spans. The facts of whole traces are told once for all of them.
    pub fn take_all(
        &mut self,
        spans: &[Span],
        now: Instant,
        to: &mut Taking,
        mut fate: impl FnMut(Outcome),
    ) {
        for span in spans {
            let held = |memory: &Self| memory.traces.get(&span.trace).map_or(0, |trace| trace.held);
            let before = held(self);
            let outcome = self.add(span, now, &mut to.events);
            self.held = self.held + held(self) - before;
            fate(outcome);
        }
        while self.waiting_bytes > self.limits.waiting_bytes && self.tell_next(&mut to.events) {}
        self.settle(&mut to.events);
    }

    fn add(&mut self, span: &Span, now: Instant, events: &mut Events) -> Outcome {
        let (trace_id, id) = span.key();
        let meaning = Meaning::of(span, self.limits.words);
        if span.text(Fact::SpanType) == Some("pending_span") {
            self.begin(span, &meaning, now);
            return Outcome::Ignored;
        }
        let trace = self
            .traces
            .entry(trace_id)
            .or_insert_with(|| Trace::new(now));
        trace.touched = now;
        self.unsettled.occasion = Some((span.key(), meaning.source.clone()));
        let is_waiting = self.waiting.contains_key(&(trace_id, id));
        let known = trace.spans.get(&id);
        if known.is_some_and(|known| is_waiting || known.is_told && known.is_ended) {
            // Events of spans that waited for it may have been told in vain.
            self.tell_waiters(trace_id, id, events);
            return Outcome::Repeated;
        }
        let root = trace.root_mark();
        let before = trace.put(id, Memo::of(span, &meaning));
        trace.end(span, &meaning);
        if trace.root_mark() != root {
            self.unsettled.traces.insert(trace_id);
        }
        match before {
            Some(before) => self.recount(span.key(), &before),
            None => self.order.push_back((trace_id, id)),
        }
        if meaning.kind.is_some() {
            self.tell_span(span, &meaning, now, events);
        }
        self.tell_waiters(trace_id, id, events);
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
        self.settle(&mut to.events);
        count
    }

    /// Notes the begin of a span: its children know it before it ends.
    fn begin(&mut self, span: &Span, meaning: &Meaning, now: Instant) {
        let Some(id) = span.parent else { return };
        let parent = span.text(Fact::PendingParent).and_then(hex::span_of);
        let is_agent = meaning.kind == Some(Kind::Agent);
        let memo = Memo {
            parent,
            task: is_agent.then(|| hex::span_text((span.trace, id)).into()),
            is_ended: false,
            is_told: false,
            ..Memo::of(span, meaning)
        };
        let trace = self.traces.entry(span.trace);
        let trace = trace.or_insert_with(|| Trace::new(now));
        trace.touched = now;
        if !trace.spans.contains_key(&id) {
            trace.put(id, memo);
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
        self.looked += around.looked;
        let has_own = meaning.agent.is_some() || around.agent.is_some();
        match trace.run(&meaning.project) {
            Some(run) => run.see(span.start),
            None => self.runless += 1,
        }
        let finds_none = matches!(meaning.kind, Some(Kind::Agent | Kind::NewAgent | Kind::Run));
        if let (false, false, Some(missing)) = (has_own, finds_none, around.missing)
            && !self.limits.wait.is_zero()
        {
            trace.waiters.push(missing, span.id);
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
            teller.tell(event.id(format!("otel:project:{project}")), span.key());
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
                run.tell((span.trace, None), span.key(), &mut teller);
            }
        }
        let run = (span.trace, meaning.project.clone());
        self.unsettled.runs.insert(run);
        let occasion = (span.key(), meaning.source.clone());
        self.unsettled.occasion.get_or_insert(occasion);
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
        let before = self.agents.get(&thing).map_or(0, Agent::held);
        let agent = self
            .agents
            .entry(thing.clone())
            .or_insert_with(|| Agent::new(named));
        self.undo.push(Undo::Agent(thing.clone(), agent.told()));
        let role = span.text(Fact::Role);
        let role = role.and_then(|role| Words(Content::Preview).cut(role));
        agent.see(named, role, span.start);
        self.held = self.held + agent.held() - before;
        if let Some(trace) = self.traces.get_mut(&span.trace) {
            trace.see(span.key(), &thing, agent);
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
        agent.arrive(span.start, span.key(), &mut teller);
        if let Some(task) = task {
            self.tell_task(span, meaning, named, task, events);
            let handed = Handed {
                start: span.start,
                project: meaning.project.clone(),
                source: meaning.source.clone(),
                agent: named.id.clone(),
                task: Some(task.clone()),
            };
            self.tell_handed(span.key(), handed, events);
        }
        let mut teller = self.teller(meaning, events);
        if let Some(agent) = self.agents.get_mut(&thing) {
            agent.tell(span.key(), &mut teller);
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
        let (was, looked) = (known.asks_since(), known.looked);
        known.join(Attempt {
            span: span.id,
            trace: span.trace,
            start: span.start,
            end: span.end,
            ended: meaning.ended.clone(),
        });
        let told = known.tell(span.key(), &mut teller);
        let is = known.asks_since();
        self.looked += known.looked - looked;
        self.undo.push(Undo::Task(thing.clone(), told));
        // Its question may be answered in another trace, whose run was paused until then.
        self.note_asking(&thing, was, is);
    }
}
