//! Spans and hand-offs that wait for spans around them, and what a whole trace tells.

use std::time::Instant;

use super::{
    hex,
    meaning::Meaning,
    memory::Memory,
    span::{Span, SpanId, TraceId, moment},
    telling::{Events, Teller, event_id},
    things::{Handed, Waiter},
    trace::Around,
    undo::Undo,
};

impl Memory {
    /// Tells what waited for a span that is known now.
    pub(super) fn tell_waiters(&mut self, trace_id: TraceId, id: SpanId, events: &mut Events) {
        let trace = self.traces.get_mut(&trace_id);
        let waiters = trace.and_then(|trace| trace.waiters.remove(&id));
        for waiter in waiters.into_iter().flatten() {
            match waiter {
                Waiter::Span(child) => {
                    if let Some(span) = self.stop_waiting(trace_id, child) {
                        self.tell_or_wait(*span, events);
                    }
                }
                Waiter::Handed(handed) => {
                    let waiter = Waiter::Handed(handed.clone());
                    self.undo.push(Undo::Waiter(trace_id, id, waiter));
                    self.tell_handed(trace_id, handed, events);
                }
            }
        }
    }

    /// Tells the span that waits for longest without what it waits for. Says whether there was one.
    pub(super) fn tell_next(&mut self, events: &mut Events) -> bool {
        while let Some((_, trace, span)) = self.deadlines.pop_front() {
            if let Some(span) = self.stop_waiting(trace, span) {
                self.undo.push(Undo::Waited(span.clone()));
                let meaning = Meaning::of(&span);
                let around = self.around(&span);
                self.tell_found(&span, &meaning, &around, events);
                self.tell_trace(span.trace, span.id, &meaning, events);
                return true;
            }
        }
        false
    }

    fn stop_waiting(&mut self, trace: TraceId, span: SpanId) -> Option<Box<Span>> {
        let span = self.waiting.remove(&(trace, span))?;
        self.waiting_bytes = self.waiting_bytes.saturating_sub(span.held());
        Some(span)
    }

    /// Lets a span wait that was told in vain: it is told at the next occasion.
    pub(super) fn wait_again(&mut self, span: Box<Span>) {
        let key = (span.trace, span.id);
        self.waiting_bytes += span.held();
        self.deadlines.push_front((Instant::now(), key.0, key.1));
        self.waiting.insert(key, span);
    }

    /// Tells a span that waited, unless a further ancestor is missing: then it waits for that one, and not for longer.
    fn tell_or_wait(&mut self, span: Span, events: &mut Events) {
        let around = self.around(&span);
        let (trace_id, id) = (span.trace, span.id);
        if let (None, Some(missing)) = (&around.agent, around.missing) {
            if let Some(trace) = self.traces.get_mut(&trace_id) {
                let waiters = trace.waiters.entry(missing).or_default();
                waiters.push(Waiter::Span(id));
            }
            self.waiting_bytes += span.held();
            self.waiting.insert((trace_id, id), Box::new(span));
            return;
        }
        self.undo.push(Undo::Waited(Box::new(span.clone())));
        let meaning = Meaning::of(&span);
        self.tell_found(&span, &meaning, &around, events);
    }

    fn around(&self, span: &Span) -> Around {
        let trace = self.traces.get(&span.trace);
        trace.map_or_else(Default::default, |trace| trace.around(span.parent))
    }

    /// Tells who gave an agent its work, or waits until that is known.
    pub(super) fn tell_handed(&mut self, trace_id: TraceId, handed: Handed, events: &mut Events) {
        let Some(trace) = self.traces.get_mut(&trace_id) else {
            return;
        };
        let memo = trace.spans.get(&handed.span);
        let around = trace.around(memo.and_then(|memo| memo.parent));
        match (around.agent, around.missing) {
            (Some(giver), _) if giver != handed.agent => {
                let mut teller = Teller {
                    project: handed.project,
                    source: handed.source,
                    words: self.limits.words,
                    events,
                };
                let event = teller
                    .event("agent.handoff")
                    .with("from_agent_id", &*giver)
                    .with("to_agent_id", &*handed.agent)
                    .with("kind", "delegation")
                    .with_some("task_id", handed.task.as_deref())
                    .with("run_id", hex::trace_text(trace_id));
                let event = event.id(event_id(handed.span, "handoff"));
                teller.tell(event.at(moment(handed.start)), handed.span);
            }
            (None, Some(missing)) => {
                let waiters = trace.waiters.entry(missing).or_default();
                waiters.push(Waiter::Handed(handed));
            }
            _ => {}
        }
    }

    /// Tells what follows for a trace and its agents from its end, if that is known.
    pub(super) fn tell_trace(
        &mut self,
        id: TraceId,
        span: SpanId,
        meaning: &Meaning,
        events: &mut Events,
    ) {
        let Some(trace) = self.traces.get(&id) else {
            return;
        };
        if trace.root().is_some() {
            for thing in trace.agents.clone() {
                let Some(agent) = self.agents.get_mut(&thing) else {
                    continue;
                };
                self.undo.push(Undo::Agent(thing.clone(), agent.told()));
                agent.over(id);
                let mut teller = Teller {
                    project: thing.0,
                    source: meaning.source.clone(),
                    words: self.limits.words,
                    events,
                };
                agent.tell(span, &mut teller);
            }
        }
        self.tell_runs(id, span, meaning, events);
    }

    /// Tells what changed about the runs of a trace.
    pub(super) fn tell_runs(
        &mut self,
        id: TraceId,
        span: SpanId,
        meaning: &Meaning,
        events: &mut Events,
    ) {
        let Some(trace) = self.traces.get_mut(&id) else {
            return;
        };
        let root = trace.root().cloned();
        let projects: Vec<_> = trace.runs.keys().cloned().collect();
        for project in projects {
            let tasks = trace.tasks.iter().filter(|task| task.0 == project);
            let asks = tasks
                .filter_map(|task| self.tasks.get(task))
                .any(|task| task.asks_in(id));
            let Some(run) = trace.runs.get_mut(&project) else {
                continue;
            };
            // A run is told when the first of its spans is.
            if run.told().is_none() {
                continue;
            }
            self.undo.push(Undo::Run(id, project.clone(), run.told()));
            let mut teller = Teller {
                project,
                source: meaning.source.clone(),
                words: self.limits.words,
                events,
            };
            run.tell((id, root.as_ref()), asks, span, &mut teller);
        }
    }
}
