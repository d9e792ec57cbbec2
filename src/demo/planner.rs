//! The one who plans: announces agents, projects, tasks and how far a project is.

use std::collections::VecDeque;

use serde_json::json;

use super::{
    cast::CAST,
    world::{Draft, Stand, Turn, World},
};

/// Who speaks for the plan, as in Marcus.
pub(super) const SOURCE: &str = "marcus";

/// How often it looks whether a task was finished.
const LOOK_MS: u64 = 250;
/// Between two projects: long enough for the celebration to be seen.
const PAUSE_MS: u64 = 5_000;

#[derive(Debug)]
enum Step {
    Register(usize),
    CreateProject,
    CreateTask(usize),
    Open,
}

/// The planner.
#[derive(Debug)]
pub(super) struct Planner {
    /// What is still to be announced.
    steps: VecDeque<Step>,
    /// How many finished tasks were reported.
    reported: usize,
    /// Milliseconds of the story since the project began: its duration.
    since: u64,
}

impl Planner {
    /// Before anybody was announced.
    pub(super) fn new() -> Self {
        Self {
            steps: (0..CAST.len()).map(Step::Register).collect(),
            reported: 0,
            since: 0,
        }
    }

    /// Announces the next thing.
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
        self.steps.extend((0..tasks).map(Step::CreateTask));
        self.steps.push_back(Step::Open);
        self.reported = 0;
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

/// `None` if there is nothing to say about it.
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
                // A run that was broken off may have left a task in the state.
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
        Step::CreateTask(place) => {
            let project = world.project.as_ref()?;
            let task = project.task(*place)?;
            let data = json!({
                "task_id": task.id,
                "task_name": task.plan.name,
                "project_id": project.id,
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

/// How much of it, in whole percent.
pub(super) fn percent(part: usize, whole: usize) -> usize {
    (part * 100).checked_div(whole).unwrap_or(0)
}
