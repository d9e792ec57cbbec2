//! The planner: it announces agents, projects, tasks and progress.

use std::collections::VecDeque;

use serde_json::json;

use super::{
    cast::CAST,
    world::{Draft, Stand, Turn, World},
};

/// The source of the plan's events, as in Marcus.
pub(super) const SOURCE: &str = "marcus";

/// The interval at which the planner looks for finished tasks.
const LOOK_MS: u64 = 250;
/// The pause between two projects: long enough to show the celebration.
const PAUSE_MS: u64 = 5_000;

#[derive(Debug)]
enum Step {
    Register(usize),
    CreateProject,
    BeginRun,
    CreateTask(usize),
    Open,
}

/// The planner.
#[derive(Debug)]
pub(super) struct Planner {
    /// The announcements to come.
    steps: VecDeque<Step>,
    /// Finished tasks that were reported.
    reported: usize,
    /// Whether the end of the project's run was announced.
    ended: bool,
    /// The start of the project in milliseconds of the story, which gives its duration.
    since: u64,
}

impl Planner {
    /// The planner before its first announcement.
    pub(super) fn new() -> Self {
        Self {
            steps: (0..CAST.len()).map(Step::Register).collect(),
            reported: 0,
            ended: false,
            since: 0,
        }
    }

    /// Makes the next announcement.
    pub(super) fn turn(&mut self, now: u64, world: &mut World) -> Turn {
        while let Some(step) = self.steps.pop_front() {
            if let Some(turn) = announce(&step, world) {
                return turn;
            }
        }
        if world.project.is_none() {
            return self.plan(now, world);
        }
        self.report(now, world)
            .unwrap_or_else(|| Turn::wait(LOOK_MS))
    }

    fn plan(&mut self, now: u64, world: &mut World) -> Turn {
        let tasks = world.begin().map_or(0, super::world::Project::total);
        self.steps.push_back(Step::CreateProject);
        self.steps.push_back(Step::BeginRun);
        self.steps.extend((0..tasks).map(Step::CreateTask));
        self.steps.push_back(Step::Open);
        (self.reported, self.ended) = (0, false);
        self.since = now;
        Turn::wait(1)
    }

    fn report(&mut self, now: u64, world: &mut World) -> Option<Turn> {
        let project = world.project.as_ref()?;
        let (done, total) = (project.count(Stand::Done), project.total());
        if done > self.reported {
            self.reported = done;
            let data = json!({
                "project_id": project.id,
                "project_name": project.plan.name,
                "progress": percent(done, total),
                "completed_tasks": done,
                "in_progress_tasks": project.count(Stand::Taken),
                "total_tasks": total,
            });
            return Some(Turn::say(
                Draft::new("project_progress_updated", SOURCE, data),
                LOOK_MS,
            ));
        }
        if done < total || !project.shipped {
            return None;
        }
        if !self.ended {
            self.ended = true;
            let data = json!({ "run_id": project.run_id, "project_id": project.id, "status": "completed" });
            return Some(Turn::say(
                Draft::new("workflow.run.completed", SOURCE, data),
                LOOK_MS,
            ));
        }
        let data = json!({
            "project_id": project.id,
            "project_name": project.plan.name,
            "completed_tasks": total,
            "total_tasks": total,
            "progress": 100,
            "duration_seconds": now.saturating_sub(self.since) / 1_000,
        });
        world.project = None;
        Some(Turn::say(
            Draft::new("project_completed", SOURCE, data),
            PAUSE_MS,
        ))
    }
}

/// The event of a step; `None` if there is nothing to announce.
fn announce(step: &Step, world: &mut World) -> Option<Turn> {
    match step {
        Step::Register(place) => {
            let member = CAST.get(*place)?;
            let data = json!({
                "agent_id": member.id,
                "agent_name": member.name,
                "role": member.role,
                "skills": member.skills,
                "status": "idle",
                // A run that was cut off may have left a task in the state.
                "current_task": null,
            });
            Some(Turn::say(
                Draft::new("agent_registered", member.id, data),
                90,
            ))
        }
        Step::CreateProject => {
            let project = world.project.as_ref()?;
            let data = json!({
                "project_id": project.id,
                "project_name": project.plan.name,
                "total_tasks": project.total(),
                "completed_tasks": 0,
                "progress": 0,
            });
            Some(Turn::say(Draft::new("project_created", SOURCE, data), 120))
        }
        Step::BeginRun => {
            let project = world.project.as_ref()?;
            let data = json!({ "run_id": project.run_id, "project_id": project.id, "name": project.plan.name, "status": "running" });
            Some(Turn::say(
                Draft::new("workflow.run.started", SOURCE, data),
                60,
            ))
        }
        Step::CreateTask(place) => {
            let project = world.project.as_ref()?;
            let task = project.task(*place)?;
            let data = json!({
                "task_id": task.id,
                "task_name": task.plan.name,
                "project_id": project.id,
                "run_id": project.run_id,
                "dependencies": project.dependencies(task.plan),
            });
            Some(Turn::say(Draft::new("task_created", SOURCE, data), 70))
        }
        Step::Open => {
            world.project.as_mut()?.open = true;
            None
        }
    }
}

/// A part of a whole in percent, rounded down.
pub(super) fn percent(part: usize, whole: usize) -> usize {
    (part * 100).checked_div(whole).unwrap_or(0)
}
