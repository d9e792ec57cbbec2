//! The workflow of a project: a build runs whenever some tasks were finished, and the last one ships it.
//!
//! A build may fail in its tests; the next one then passes, so every project ends.

use std::collections::VecDeque;

use serde_json::{Value, json};

use super::{
    planner::percent,
    world::{Draft, Stand, Turn, World, fresh_id},
};

/// The source of the builds' events.
const SOURCE: &str = "delivery";
/// The interval at which the builds look for work.
const LOOK_MS: u64 = 700;
/// Finished tasks that are worth a build.
const WORTH: usize = 4;
/// One build in so many fails.
const FAILS_ONE_IN: u64 = 4;

/// The nodes of the workflow: id and name.
const NODES: [(&str, &str); 5] = [
    ("checkout", "Fetch sources"),
    ("build", "Build"),
    ("test", "Run tests"),
    ("scan", "Scan dependencies"),
    ("deploy", "Deploy to staging"),
];
/// The index of the node at which a failing build fails.
const FAILING: usize = 2;

#[derive(Debug)]
enum Step {
    Run {
        name: &'static str,
        status: &'static str,
        done: usize,
    },
    Node {
        name: &'static str,
        status: &'static str,
        place: usize,
    },
}

/// The builds of the present project.
#[derive(Debug)]
pub(super) struct Builds {
    /// The next steps of the present run, each with the milliseconds to wait after it.
    steps: VecDeque<(u64, Step)>,
    /// The id of the present run.
    execution: String,
    /// The project that the counts are about.
    project: String,
    /// Tasks that the last run held.
    held: usize,
    /// Runs of the project.
    runs: usize,
    /// Whether the last run failed, so that another one follows and passes.
    failed: bool,
}

impl Builds {
    /// The builds before the first project.
    pub(super) fn new() -> Self {
        Self {
            steps: VecDeque::new(),
            execution: String::new(),
            project: String::new(),
            held: 0,
            runs: 0,
            failed: false,
        }
    }

    /// Takes one step of a run, or begins one if there is something to build.
    pub(super) fn turn(&mut self, world: &mut World) -> Turn {
        if self.steps.is_empty() && !self.begin(world) {
            return Turn::wait(LOOK_MS);
        }
        let Some((wait, step)) = self.steps.pop_front() else {
            return Turn::wait(LOOK_MS);
        };
        let Some(draft) = self.draft(&step, world) else {
            return Turn::wait(LOOK_MS);
        };
        if self.steps.is_empty()
            && let Some(project) = world.project.as_mut()
        {
            project.shipped = !self.failed && self.held == project.total();
        }
        Turn::say(draft, wait)
    }

    fn begin(&mut self, world: &mut World) -> bool {
        let Some(project) = world.project.as_ref() else {
            return false;
        };
        if self.project != project.id {
            self.project.clone_from(&project.id);
            (self.held, self.runs, self.failed) = (0, 0, false);
        }
        let (done, total) = (project.count(Stand::Done), project.total());
        let news = done >= self.held + WORTH || (done == total && done > self.held);
        if !news && !self.failed {
            return false;
        }
        self.held = done;
        self.runs += 1;
        self.failed = !self.failed && world.rng.one_in(FAILS_ONE_IN);
        self.execution = format!("{}-build-{}-{}", project.plan.slug, self.runs, fresh_id());
        self.lay_out(world);
        true
    }

    fn lay_out(&mut self, world: &mut World) {
        let run = |name, status, done| Step::Run { name, status, done };
        let node = |name, status, place| Step::Node {
            name,
            status,
            place,
        };
        let steps = &mut self.steps;
        steps.push_back((300, run("workflow.run.started", "running", 0)));
        for place in 0..NODES.len() {
            steps.push_back((
                world.rng.between(700, 1_900),
                node("workflow.node.started", "running", place),
            ));
            if self.failed && place == FAILING {
                steps.push_back((250, node("workflow.node.failed", "failed", place)));
                steps.push_back((3_000, run("workflow.run.failed", "failed", place)));
                return;
            }
            steps.push_back((150, node("workflow.node.completed", "completed", place)));
            if place + 1 < NODES.len() {
                steps.push_back((250, run("workflow.run.updated", "running", place + 1)));
            }
        }
        steps.push_back((
            2_000,
            run("workflow.run.completed", "completed", NODES.len()),
        ));
    }

    fn draft(&self, step: &Step, world: &World) -> Option<Draft> {
        let project = world.project.as_ref()?;
        let workflow = format!("{}-delivery", project.plan.slug);
        match step {
            Step::Run { name, status, done } => {
                let mut data = json!({
                    "execution_id": self.execution,
                    "parent_run_id": project.run_id,
                    "workflow_id": workflow,
                    "workflow_name": format!("{} build {}", project.plan.name, self.runs),
                    "project_id": project.id,
                    "status": status,
                    "progress_percentage": percent(*done, NODES.len()),
                    "completed_nodes": done,
                    "total_nodes": NODES.len(),
                    "current_node": NODES.get(*done).map(|(_, name)| *name),
                });
                if *status == "failed"
                    && let Value::Object(data) = &mut data
                {
                    data.insert(
                        "errorMessage".into(),
                        "Tests failed, the next build tries again".into(),
                    );
                }
                Some(Draft::new(name, SOURCE, data))
            }
            Step::Node {
                name,
                status,
                place,
            } => {
                let (id, title) = NODES.get(*place)?;
                let message = match *status {
                    "failed" => Some("2 of 148 tests failed"),
                    "completed" => Some("ok"),
                    _ => None,
                };
                let data = json!({
                    "execution_id": self.execution,
                    "workflow_id": workflow,
                    "project_id": project.id,
                    "node_execution_id": format!("{}-{id}", self.execution),
                    "node_id": id,
                    "node_name": title,
                    "status": status,
                    "message": message,
                });
                Some(Draft::new(name, SOURCE, data))
            }
        }
    }
}
