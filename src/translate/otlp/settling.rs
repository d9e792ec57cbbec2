//! The facts of whole traces, which are told once for all spans that are taken together: a trace may have many agents and runs, and
//! each of many spans may change them.

use std::mem;

use super::{
    memory::Memory,
    span::TraceId,
    telling::{Events, Teller},
    things::Thing,
    undo::Undo,
};

impl Memory {
    /// Tells what changed about runs, and about agents beside the spans that name them.
    pub(super) fn settle(&mut self, events: &mut Events) {
        let Some((span, source)) = self.unsettled.occasion.take() else {
            return;
        };
        let mut unsettled = mem::take(&mut self.unsettled);
        for id in unsettled.traces {
            let Some(trace) = self.traces.get_mut(&id) else {
                continue;
            };
            unsettled
                .runs
                .extend(trace.runs.keys().map(|project| (id, project.clone())));
            if trace.root().is_none() {
                continue;
            }
            for thing in mem::take(&mut trace.at_work) {
                if let Some(agent) = self.agents.get_mut(&thing) {
                    agent.over(id);
                    unsettled.agents.insert(thing);
                }
            }
        }
        let words = self.limits.words;
        for thing in unsettled.agents {
            self.looked += 1;
            // One that is not told to be there is told with its span.
            let agent = self.agents.get_mut(&thing).filter(|agent| agent.is_there());
            let Some(agent) = agent else { continue };
            let told = agent.told();
            let (project, source) = (thing.0.clone(), source.clone());
            agent.tell(
                span,
                &mut Teller {
                    project,
                    source,
                    words,
                    events,
                },
            );
            self.undo.push(Undo::Agent(thing, told));
        }
        for (id, project) in unsettled.runs {
            self.looked += 1;
            let Some(trace) = self.traces.get_mut(&id) else {
                continue;
            };
            let root = trace.root().cloned();
            // A run is told when the first of its spans is.
            let run = trace.runs.get_mut(&project).filter(|run| run.is_told());
            let Some(run) = run else { continue };
            let told = run.told();
            let mut teller = Teller {
                project: project.clone(),
                source: source.clone(),
                words,
                events,
            };
            run.tell((id, root.as_ref()), span, &mut teller);
            self.undo.push(Undo::Run(id, project, told));
        }
    }

    /// Notes that a task waits for an answer since another trace, or no longer.
    pub(super) fn note_asking(&mut self, task: &Thing, was: Option<TraceId>, is: Option<TraceId>) {
        if was == is {
            return;
        }
        let (project, id) = task;
        for (trace, asks) in was
            .map(|was| (was, false))
            .into_iter()
            .chain(is.map(|is| (is, true)))
        {
            let run = self
                .traces
                .get_mut(&trace)
                .and_then(|trace| trace.runs.get_mut(project));
            let Some(run) = run else { continue };
            if asks {
                run.asking.insert(id.clone());
            } else {
                run.asking.remove(id);
            }
            self.unsettled.runs.insert((trace, project.clone()));
        }
    }
}
