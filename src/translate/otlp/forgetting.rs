//! The bounds of a memory in spans and in time.

use std::time::Instant;

use super::{memory::Memory, span::TraceId, trace::Trace};

impl Memory {
    /// Forgets spans beyond so many, and traces that are over for long. Says how many spans by number and by age.
    pub fn forget(&mut self, now: Instant, most: usize) -> (usize, usize) {
        let before = self.order.len();
        while self.order.len() > most
            && let Some((trace, span)) = self.order.pop_front()
        {
            let Some(known) = self.traces.get_mut(&trace) else {
                continue;
            };
            if let Some(memo) = known.spans.remove(&span)
                && let Some(task) = memo.task.filter(|_| memo.is_agent)
            {
                let task = (memo.project, task);
                known.tasks.remove(&task);
                self.tasks.remove(&task);
            }
            if known.spans.is_empty() {
                self.forget_trace(trace);
            }
        }
        // One endless trace may have ever more agents.
        if self.agents.len() > most {
            *self = Self::new(self.limits);
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

    fn forget_trace(&mut self, id: TraceId) {
        let Some(trace) = self.traces.remove(&id) else {
            return;
        };
        for agent in &trace.agents {
            if self
                .agents
                .get_mut(agent)
                .is_some_and(|known| known.forget(id))
            {
                self.agents.remove(agent);
            }
        }
        for task in &trace.tasks {
            // A task goes on in another trace after it asked: that one keeps it.
            let others = self
                .tasks
                .get(task)
                .is_some_and(|known| known.traces().any(|of| self.traces.contains_key(&of)));
            if !others {
                self.tasks.remove(task);
            }
        }
        if self.traces.is_empty() {
            self.projects.clear();
        }
    }
}
