//! The way back: events that nobody took were not told.

use super::{memory::Memory, undo::Undo};

impl Memory {
    /// Notes that the last events were taken.
    pub fn commit(&mut self) {
        self.undo.clear();
    }

    /// Notes that nobody took the last events: they will be told again.
    pub fn roll_back(&mut self) {
        while let Some(undo) = self.undo.pop() {
            match undo {
                Undo::Span(trace, span) => {
                    let trace = self.traces.get_mut(&trace);
                    if let Some(memo) = trace.and_then(|trace| trace.spans.get_mut(&span)) {
                        memo.is_told = false;
                    }
                }
                Undo::Agent(agent, told) => {
                    if let Some(known) = self.agents.get_mut(&agent) {
                        known.untell(told);
                        self.unsettled.agents.insert(agent);
                    }
                }
                Undo::Task(task, told) => {
                    if let Some(task) = self.tasks.get_mut(&task) {
                        task.untell(told);
                    }
                }
                Undo::Run(id, project, told) => {
                    let trace = self.traces.get_mut(&id);
                    if let Some(run) = trace.and_then(|trace| trace.runs.get_mut(&project)) {
                        run.untell(told);
                        self.unsettled.runs.insert((id, project));
                    }
                }
                Undo::Project(project) => drop(self.projects.remove(&project)),
                Undo::Waited(span) => self.wait_again(span),
                Undo::Handed((trace, span), parent, handed) => {
                    if let Some(trace) = self.traces.get_mut(&trace) {
                        trace.waiters.push(parent, span);
                        trace.handed.insert(span, handed);
                    }
                }
            }
        }
    }
}
