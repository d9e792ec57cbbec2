//! Spans and hand-offs that wait for spans around them.

use std::time::Instant;

use super::{
    hex,
    meaning::Meaning,
    memory::Memory,
    span::{Span, SpanId, SpanKey, TraceId, moment},
    telling::{Events, Teller, event_id},
    things::Handed,
    trace::Around,
    undo::Undo,
};

impl Memory {
    /// Tells what waited for a span that is known now.
    pub(super) fn tell_waiters(&mut self, trace_id: TraceId, id: SpanId, events: &mut Events) {
        let Some(trace) = self.traces.get_mut(&trace_id) else {
            return;
        };
        if !trace.waiters.wait_for(id) {
            return;
        }
        // All that wait for this span see the same above it: if a further ancestor is missing, they wait for that one.
        let around = trace.around(Some(id));
        self.looked += around.looked;
        if let (None, Some(missing)) = (&around.agent, around.missing) {
            self.looked += trace.waiters.move_on(id, missing);
            return;
        }
        for waits in trace.waiters.take(id) {
            self.looked += 1;
            let trace = self.traces.get_mut(&trace_id);
            let handed = trace.and_then(|trace| trace.handed.remove(&waits));
            if let Some(handed) = handed {
                let key = (trace_id, waits);
                self.undo.push(Undo::Handed(key, id, handed.clone()));
                self.tell_handed(key, handed, events);
            } else if let Some(span) = self.stop_waiting(trace_id, waits) {
                self.tell_waited(span, events);
            }
        }
    }

    /// Tells the span that waits for longest without what it waits for. Says whether there was one.
    pub(super) fn tell_next(&mut self, events: &mut Events) -> bool {
        while let Some((_, trace, span)) = self.deadlines.pop_front() {
            if let Some(span) = self.stop_waiting(trace, span) {
                self.tell_waited(span, events);
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

    /// Tells a span that waited.
    fn tell_waited(&mut self, span: Box<Span>, events: &mut Events) {
        let around = self.around(&span);
        self.looked += around.looked;
        let meaning = Meaning::of(&span, self.limits.words);
        self.tell_found(&span, &meaning, &around, events);
        self.undo.push(Undo::Waited(span));
    }

    fn around(&self, span: &Span) -> Around {
        let trace = self.traces.get(&span.trace);
        trace.map_or_else(Default::default, |trace| trace.around(span.parent))
    }

    /// Tells who gave an agent its work, or waits until that is known.
    pub(super) fn tell_handed(&mut self, key: SpanKey, handed: Handed, events: &mut Events) {
        let (trace_id, span) = key;
        let Some(trace) = self.traces.get_mut(&trace_id) else {
            return;
        };
        let memo = trace.spans.get(&span);
        let around = trace.around(memo.and_then(|memo| memo.parent));
        self.looked += around.looked;
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
                let event = event.id(event_id(key, "handoff"));
                teller.tell(event.at(moment(handed.start)), key);
            }
            (None, Some(missing)) => {
                let is_new = trace.handed.insert(span, handed).is_none();
                if is_new {
                    trace.waiters.push(missing, span);
                }
            }
            _ => {}
        }
    }
}
