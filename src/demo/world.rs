//! What everybody in the demo shares: the project under way, its tasks, chance.

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
    /// Its type.
    pub(super) name: &'static str,
    /// Who says it.
    pub(super) source: &'static str,
    /// Its data, an object.
    pub(super) data: Value,
}

impl Draft {
    /// An event of this type, from this source.
    pub(super) fn new(name: &'static str, source: &'static str, data: Value) -> Self {
        Self { name, source, data }
    }
}

/// What one actor did when its time came.
#[derive(Debug)]
pub(super) struct Turn {
    /// What it says, if anything.
    pub(super) draft: Option<Draft>,
    /// After how many milliseconds its time comes again.
    pub(super) again_in: u64,
}

impl Turn {
    /// Says something.
    pub(super) fn say(draft: Draft, again_in: u64) -> Self {
        Self {
            draft: Some(draft),
            again_in,
        }
    }

    /// Says nothing.
    pub(super) fn wait(again_in: u64) -> Self {
        Self {
            draft: None,
            again_in,
        }
    }
}

/// Where a task stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stand {
    /// Nobody has it.
    Waiting,
    /// Somebody works on it.
    Taken,
    /// It is finished.
    Done,
}

/// A task of the project under way.
#[derive(Debug)]
pub(super) struct Task {
    /// Names it in events; unlike any earlier run's.
    pub(super) id: String,
    /// Name, craft and what comes before.
    pub(super) plan: &'static TaskPlan,
    /// Decides whether it can be taken.
    pub(super) stand: Stand,
}

/// The project under way.
#[derive(Debug)]
pub(super) struct Project {
    /// Names it in events and rooms, so that people can write it: `checkout-service`, and `checkout-service-2` when its turn
    /// comes again.
    pub(super) id: String,
    /// Names, decisions, blockers.
    pub(super) plan: &'static Plan,
    /// In the plan's order.
    pub(super) tasks: Vec<Task>,
    /// Tasks may be taken: they were all announced, and the project isn't over.
    pub(super) open: bool,
    /// The last build held every task and passed.
    pub(super) shipped: bool,
    /// How many of the plan's decisions were made.
    decided: usize,
    /// How many of the plan's blockers were met.
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
            plan,
            tasks: plan.tasks.iter().map(task).collect(),
            open: false,
            shipped: false,
            decided: 0,
            stumbled: 0,
        }
    }

    /// How many tasks there are.
    pub(super) fn total(&self) -> usize {
        self.tasks.len()
    }

    /// How many tasks stand there.
    pub(super) fn count(&self, stand: Stand) -> usize {
        self.tasks.iter().filter(|t| t.stand == stand).count()
    }

    /// The task at a place.
    pub(super) fn task(&self, place: usize) -> Option<&Task> {
        self.tasks.get(place)
    }

    /// The ids of what must be done before.
    pub(super) fn dependencies(&self, task: &TaskPlan) -> Vec<&str> {
        let before = task.after.iter().filter_map(|place| self.task(*place));
        before.map(|task| task.id.as_str()).collect()
    }

    /// The first task that can be begun: of that craft, or of any if none is named.
    pub(super) fn ready(&self, craft: Option<Craft>) -> Option<usize> {
        let done = |place: &usize| self.task(*place).is_some_and(|t| t.stand == Stand::Done);
        self.tasks.iter().position(|task| {
            self.open
                && task.stand == Stand::Waiting
                && craft.is_none_or(|craft| craft == task.plan.craft)
                && task.plan.after.iter().all(done)
        })
    }

    /// Moves a task.
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

/// What everybody shares.
#[derive(Debug)]
pub(super) struct World {
    /// The only source of chance, so that a seed tells the whole story.
    pub(super) rng: Rng,
    /// The project under way; none before the first and between two.
    pub(super) project: Option<Project>,
    /// Agents that can't go on: health is judged by it.
    pub(super) blocked: usize,
    /// How many projects were begun: whose turn is next.
    begun: usize,
}

impl World {
    /// Before the first project.
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
