//! The state that all actors share: the present project, its tasks, and chance.

use serde_json::Value;
use uuid::Uuid;

use super::{
    cast::Craft,
    projects::{PLANS, Plan, TaskPlan},
    rng::Rng,
};

/// An event before it has an id and a time.
#[derive(Debug)]
pub(super) struct Draft {
    /// The type.
    pub(super) name: &'static str,
    /// The source.
    pub(super) source: &'static str,
    /// The data, an object.
    pub(super) data: Value,
}

impl Draft {
    /// An event of this type, from this source.
    pub(super) fn new(name: &'static str, source: &'static str, data: Value) -> Self {
        Self { name, source, data }
    }
}

/// The result of an actor's turn.
#[derive(Debug)]
pub(super) struct Turn {
    /// The event to publish, if any.
    pub(super) draft: Option<Draft>,
    /// Milliseconds until the actor's next turn.
    pub(super) again_in: u64,
}

impl Turn {
    /// Publishes an event.
    pub(super) fn say(draft: Draft, again_in: u64) -> Self {
        Self {
            draft: Some(draft),
            again_in,
        }
    }

    /// Publishes nothing.
    pub(super) fn wait(again_in: u64) -> Self {
        Self {
            draft: None,
            again_in,
        }
    }
}

/// The state of a task.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stand {
    /// No agent has the task.
    Waiting,
    /// An agent works on the task.
    Taken,
    /// The task is finished.
    Done,
}

/// A task of the present project.
#[derive(Debug)]
pub(super) struct Task {
    /// The id in events, which no earlier run used.
    pub(super) id: String,
    /// The plan: name, craft and dependencies.
    pub(super) plan: &'static TaskPlan,
    /// Decides whether it can be taken.
    pub(super) stand: Stand,
}

/// The present project.
#[derive(Debug)]
pub(super) struct Project {
    /// The id in events and rooms, short enough to type: `checkout-service`, and `checkout-service-2` when its turn
    /// comes again.
    pub(super) id: String,
    /// The id of the run that all its work belongs to.
    pub(super) run_id: String,
    /// The plan: names, decisions and blockers.
    pub(super) plan: &'static Plan,
    /// The tasks, in the plan's order.
    pub(super) tasks: Vec<Task>,
    /// Whether tasks may be taken: all were announced, and the project isn't over.
    pub(super) open: bool,
    /// Whether the last build held every task and passed.
    pub(super) shipped: bool,
    /// Decisions of the plan that were made.
    decided: usize,
    /// Blockers of the plan that were met.
    stumbled: usize,
}

impl Project {
    fn new(plan: &'static Plan, round: usize) -> Self {
        let task = |plan: &'static TaskPlan| Task {
            id: fresh_id(),
            plan,
            stand: Stand::Waiting,
        };
        Self {
            id: match round {
                0 => plan.id.to_owned(),
                _ => format!("{}-{}", plan.id, round + 1),
            },
            run_id: fresh_id(),
            plan,
            tasks: plan.tasks.iter().map(task).collect(),
            open: false,
            shipped: false,
            decided: 0,
            stumbled: 0,
        }
    }

    /// The number of tasks.
    pub(super) fn total(&self) -> usize {
        self.tasks.len()
    }

    /// The number of tasks in this state.
    pub(super) fn count(&self, stand: Stand) -> usize {
        self.tasks.iter().filter(|t| t.stand == stand).count()
    }

    /// The task at an index.
    pub(super) fn task(&self, place: usize) -> Option<&Task> {
        self.tasks.get(place)
    }

    /// The ids of the tasks that must be done before.
    pub(super) fn dependencies(&self, task: &TaskPlan) -> Vec<&str> {
        let before = task.after.iter().filter_map(|place| self.task(*place));
        before.map(|task| task.id.as_str()).collect()
    }

    /// The first task that can be begun: of this craft, or of any if none is named.
    pub(super) fn ready(&self, craft: Option<Craft>) -> Option<usize> {
        let done = |place: &usize| self.task(*place).is_some_and(|t| t.stand == Stand::Done);
        self.tasks.iter().position(|task| {
            self.open
                && task.stand == Stand::Waiting
                && craft.is_none_or(|craft| craft == task.plan.craft)
                && task.plan.after.iter().all(done)
        })
    }

    /// The first task that waits for this one, for whose craft that is.
    pub(super) fn next_after(&self, place: usize) -> Option<&Task> {
        let waits = |task: &&Task| task.stand == Stand::Waiting && task.plan.after.contains(&place);
        self.tasks.iter().find(waits)
    }

    /// Sets a task's state.
    pub(super) fn set(&mut self, place: usize, stand: Stand) {
        if let Some(task) = self.tasks.get_mut(place) {
            task.stand = stand;
        }
    }

    /// The next decision of the plan, until there are none left.
    pub(super) fn decide(&mut self) -> Option<[&'static str; 3]> {
        let next = self.plan.decisions.get(self.decided).copied();
        self.decided += 1;
        next
    }

    /// The next blocker of the plan, until there are none left.
    pub(super) fn stumble(&mut self) -> Option<[&'static str; 3]> {
        let next = self.plan.blockers.get(self.stumbled).copied();
        self.stumbled += 1;
        next
    }
}

/// The state that all actors share.
#[derive(Debug)]
pub(super) struct World {
    /// The only source of chance, so that a seed gives the whole story.
    pub(super) rng: Rng,
    /// The present project; `None` before the first and between two.
    pub(super) project: Option<Project>,
    /// Agents that can't go on, which decide the health.
    pub(super) blocked: usize,
    /// Projects begun so far, which decide the next one.
    begun: usize,
}

impl World {
    /// The world before the first project.
    pub(super) fn new(seed: u64) -> Self {
        Self {
            rng: Rng::new(seed),
            project: None,
            blocked: 0,
            begun: 0,
        }
    }

    /// Begins the next project of the rotation.
    pub(super) fn begin(&mut self) -> Option<&Project> {
        let (round, turn) = (self.begun / PLANS.len(), self.begun % PLANS.len());
        self.project = PLANS.get(turn).map(|plan| Project::new(plan, round));
        self.begun += 1;
        self.project.as_ref()
    }
}

/// An id like the ones Marcus gives.
pub(super) fn fresh_id() -> String {
    Uuid::new_v4().simple().to_string()
}
