//! The bounds of a memory in spans, bytes and time.

use std::time::Instant;

use super::{
    memory::Memory,
    span::{SpanKey, TraceId},
    things::Thing,
    trace::{Memo, Trace},
};

/// Projects that are known to have been told.
const MAX_PROJECTS: usize = 1_000;

impl Memory {
    /// Forgets spans beyond so many, and traces that are over for long. Says how many spans by number and by age.
    pub fn forget(&mut self, now: Instant, most: usize) -> (usize, usize) {
        let before = self.order.len();
        while self.order.len() > most && self.forget_first() {}
        // A project that is told again is the same event.
        if self.projects.len() > MAX_PROJECTS {
            self.projects.clear();
        }
        let by_number = before - self.order.len();
        let keep = self.limits.keep;
        let is_old = |known: &Trace| now.duration_since(known.touched) > keep;
        // The trace of the oldest span tells whether it is worth looking at all of them.
        let first = self.order.front().map(|(trace, _)| trace);
        let first = first.and_then(|trace| self.traces.get(trace));
        if first.is_none_or(is_old) {
            let traces = self.traces.iter().filter(|(_, trace)| is_old(trace));
            let old: Vec<TraceId> = traces.map(|(id, _)| *id).collect();
            old.into_iter().for_each(|trace| self.forget_trace(trace));
            self.order
                .retain(|(trace, _)| self.traces.contains_key(trace));
        }
        (by_number, before - by_number - self.order.len())
    }

    /// Forgets spans until the others hold so many bytes. Says how many it forgot.
    pub fn shrink(&mut self, bytes: usize) -> usize {
        let before = self.order.len();
        while self.held > bytes && self.forget_first() {}
        before - self.order.len()
    }

    /// Forgets the span that came first. Says whether there was one.
    fn forget_first(&mut self) -> bool {
        let Some((id, span)) = self.order.pop_front() else {
            return false;
        };
        let Some(trace) = self.traces.get_mut(&id) else {
            return true;
        };
        let before = trace.held;
        let memo = trace.remove(span);
        let (handed, waiting) = (&trace.handed, &self.waiting);
        let waits = |span| handed.contains_key(&span) || waiting.contains_key(&(id, span));
        trace.waiters.sweep(trace.spans.len(), waits);
        self.held = self.held + trace.held - before;
        if let Some(memo) = memo {
            if let Some(task) = memo.task.clone().filter(|_| memo.is_agent) {
                let task = (memo.project.clone(), task);
                trace.tasks.remove(&task);
                self.forget_task(&task);
            }
            self.uncount(id, &memo);
        }
        if self
            .traces
            .get(&id)
            .is_some_and(|trace| trace.spans.is_empty())
        {
            self.forget_trace(id);
        }
        true
    }

    /// Counts a span once, also if it came before: it may have named another agent then.
    pub(super) fn recount(&mut self, (id, span): SpanKey, before: &Memo) {
        let memo = self
            .traces
            .get_mut(&id)
            .and_then(|trace| trace.spans.get_mut(&span));
        match memo {
            Some(memo) if (&memo.project, &memo.agent) == (&before.project, &before.agent) => {
                memo.is_counted = before.is_counted;
            }
            _ => self.uncount(id, before),
        }
    }

    /// Notes that a span which its agent counted is no longer remembered: an agent without any is forgotten.
    pub(super) fn uncount(&mut self, id: TraceId, memo: &Memo) {
        let Some(agent) = memo.agent.clone().filter(|_| memo.is_counted) else {
            return;
        };
        let thing = (memo.project.clone(), agent);
        let Some(agent) = self.agents.get_mut(&thing) else {
            return;
        };
        if agent.uncount(id)
            && let Some(trace) = self.traces.get_mut(&id)
        {
            trace.agents.remove(&thing);
            trace.at_work.remove(&thing);
        }
        if agent.is_forgotten() {
            self.held -= agent.held();
            self.agents.remove(&thing);
        }
    }

    fn forget_task(&mut self, task: &Thing) {
        let known = self.tasks.remove(task);
        self.note_asking(task, known.and_then(|known| known.asks_since()), None);
    }

    fn forget_trace(&mut self, id: TraceId) {
        let Some(trace) = self.traces.remove(&id) else {
            return;
        };
        self.held -= trace.held;
        for memo in trace.spans.values() {
            self.uncount(id, memo);
        }
        for task in &trace.tasks {
            // A task goes on in another trace after it asked: that one keeps it.
            let others = self
                .tasks
                .get(task)
                .is_some_and(|known| known.traces().any(|of| self.traces.contains_key(&of)));
            if !others {
                self.forget_task(task);
            }
        }
        if self.traces.is_empty() {
            self.projects.clear();
        }
    }
}
