//! An agent at work: takes a task, works through it step by step, and takes the next.
//!
//! When a task is taken, the whole way through it is laid out as a list of steps; a turn is one step. So a task's events
//! always come in one order, and an agent never has two tasks.

use std::collections::VecDeque;

use serde_json::{Value, json};

use super::{
    calls::{Call, ask, reach, think},
    cast::{CAST, FINDINGS, Member, OPENINGS, STAGES, pieces},
    job::{Job, about},
    planner,
    world::{Draft, Project, Stand, Turn, World, fresh_id},
};

/// The interval at which an idle agent looks for work.
const LOOK_MS: u64 = 400;
/// After so many searches in vain the agent takes work of another craft.
const PATIENCE: u32 = 4;
/// One task in so many is blocked for a while.
const BLOCKED_ONE_IN: u64 = 5;
/// In one task in so many the agent asks a person.
const ASKS_ONE_IN: u64 = 6;

#[derive(Debug)]
enum Step {
    Assigned,
    Status(&'static str),
    Started,
    Piece { message: String, text: String },
    Progress { percent: u64, message: &'static str },
    Call(Call),
    Decided([&'static str; 3]),
    Blocked([&'static str; 3]),
    Resolved([&'static str; 3]),
    Completed,
    HandedOver,
}

/// An agent of the team.
#[derive(Debug)]
pub(super) struct Worker {
    member: &'static Member,
    /// The present status, which the next change reports as the old one.
    status: &'static str,
    /// The present task; `None` while the agent looks for one.
    job: Option<Job>,
    /// The next steps, each with the milliseconds to wait after it.
    steps: VecDeque<(u64, Step)>,
    /// Searches for work in vain.
    looked: u32,
}

impl Worker {
    /// An idle agent.
    pub(super) fn new(member: &'static Member) -> Self {
        Self {
            member,
            status: "idle",
            job: None,
            steps: VecDeque::new(),
            looked: 0,
        }
    }

    /// Takes one step.
    pub(super) fn turn(&mut self, now: u64, world: &mut World) -> Turn {
        if self.steps.is_empty() && !self.take(now, world) {
            return Turn::wait(LOOK_MS);
        }
        let Some((wait, step)) = self.steps.pop_front() else {
            return Turn::wait(LOOK_MS);
        };
        let draft = self.draft(&step, now, world);
        if self.steps.is_empty() {
            self.job = None;
        }
        match draft {
            Some(draft) => Turn::say(draft, wait),
            None => Turn::wait(wait),
        }
    }

    /// Takes a task and lays out the way through it; `false` if there is none.
    fn take(&mut self, now: u64, world: &mut World) -> bool {
        let Some(project) = world.project.as_mut() else {
            return false;
        };
        let mut found = project.ready(Some(self.member.craft));
        if found.is_none() && self.looked >= PATIENCE {
            found = project.ready(None);
        }
        let Some((place, task)) = found.and_then(|place| Some((place, project.task(place)?)))
        else {
            self.looked = self.looked.saturating_add(1);
            return false;
        };
        self.looked = 0;
        let task_name = task.plan.name;
        self.job = Some(Job {
            place,
            task_id: task.id.clone(),
            task_name,
            project_id: project.id.clone(),
            run_id: project.run_id.clone(),
            since: now,
        });
        project.set(place, Stand::Taken);
        self.lay_out(task_name, world);
        true
    }

    fn lay_out(&mut self, task_name: &str, world: &mut World) {
        self.steps.extend([
            (180, Step::Assigned),
            (220, Step::Status("working")),
            (400, Step::Started),
        ]);
        self.call(think(&mut world.rng));
        let opening = world.rng.pick(&OPENINGS).copied().unwrap_or_default();
        self.speak(&opening.replace("{}", task_name), world);
        let reports = world.rng.between(3, 5);
        let decides_after = world.rng.between(1, 4);
        let blocked_after = world.rng.one_in(BLOCKED_ONE_IN).then_some(2);
        let speaks_after = world.rng.between(2, 5);
        let asks_after = world.rng.one_in(ASKS_ONE_IN).then_some(reports);
        for report in 1..=reports {
            self.pause(world, 500, 1_200);
            if report == 1 || world.rng.one_in(2) {
                self.call(reach(&mut world.rng));
            }
            if report > 1 && world.rng.one_in(2) {
                self.call(think(&mut world.rng));
            }
            // The percentage rises from report to report, and stays below 100, which only the end has.
            let percent = report * 100 / (reports + 1) + world.rng.between(0, 12);
            let stage = usize::try_from((report - 1) * 5 / reports).unwrap_or_default();
            let message = STAGES.get(stage).copied().unwrap_or_default();
            self.steps
                .push_back((300, Step::Progress { percent, message }));
            if report == decides_after
                && let Some(decision) = world.project.as_mut().and_then(Project::decide)
            {
                self.steps.push_back((500, Step::Decided(decision)));
            }
            if Some(report) == blocked_after
                && let Some(blocker) = world.project.as_mut().and_then(Project::stumble)
            {
                self.steps.push_back((150, Step::Blocked(blocker)));
                self.steps
                    .push_back((world.rng.between(4_000, 7_500), Step::Status("blocked")));
                self.steps.push_back((200, Step::Resolved(blocker)));
                self.steps.push_back((600, Step::Status("working")));
            }
            if Some(report) == asks_after {
                self.call(ask(&mut world.rng));
            }
            if report == speaks_after {
                let finding = world.rng.pick(&FINDINGS).copied().unwrap_or_default();
                self.speak(finding, world);
            }
        }
        self.pause(world, 900, 2_200);
        self.steps.push_back((250, Step::Completed));
        self.steps.push_back((250, Step::HandedOver));
        let rest = world.rng.between(500, 1_600);
        self.steps.push_back((rest, Step::Status("idle")));
    }

    /// The beginning and the end of a call.
    fn call(&mut self, steps: [(u64, Call); 2]) {
        let steps = steps.map(|(wait, call)| (wait, Step::Call(call)));
        self.steps.extend(steps);
    }

    /// A wait after the step laid out last.
    fn pause(&mut self, world: &mut World, low: u64, high: u64) {
        if let Some((wait, _)) = self.steps.back_mut() {
            *wait += world.rng.between(low, high);
        }
    }

    /// Says a sentence, a few words at a time.
    fn speak(&mut self, sentence: &str, world: &mut World) {
        let message = fresh_id();
        for text in pieces(sentence, || world.rng.between(1, 4)) {
            let message = message.clone();
            self.steps.push_back((0, Step::Piece { message, text }));
            self.pause(world, 140, 320);
        }
    }

    fn draft(&mut self, step: &Step, now: u64, world: &mut World) -> Option<Draft> {
        let job = self.job.as_ref()?;
        let id = self.member.id;
        let about = |more: Value| about(id, job, more);
        Some(match step {
            Step::Assigned => {
                let with = json!({ "agent_name": self.member.name, "run_id": job.run_id });
                Draft::new("task_assigned", planner::SOURCE, about(with))
            }
            Step::Status(status) => {
                let busy = *status != "idle";
                let data = json!({
                    "agent_id": id,
                    "old_status": self.status,
                    "new_status": status,
                    "current_task": busy.then_some(&job.task_id),
                    "project_id": job.project_id,
                });
                self.status = status;
                Draft::new("agent_status_changed", id, data)
            }
            Step::Started => {
                let with = json!({ "run_id": job.run_id });
                Draft::new("task_started", id, about(with))
            }
            Step::Piece { message, text } => {
                let data = json!({
                    "run_id": job.run_id,
                    "message_id": message,
                    "role": "assistant",
                    "content": text,
                    "agent_id": id,
                    "project_id": job.project_id,
                });
                Draft::new("agent.message.appended", id, data)
            }
            Step::Progress { percent, message } => {
                let with =
                    json!({ "progress": percent, "status": "in_progress", "message": message });
                Draft::new("task_progress", id, about(with))
            }
            Step::Call(call) => call.draft(id, job, &mut world.rng),
            Step::HandedOver => {
                let project = world.project.as_ref()?;
                let next = project.next_after(job.place)?;
                let to = CAST.iter().find(|member| member.craft == next.plan.craft)?;
                if to.id == id {
                    return None;
                }
                let data = json!({
                    "from_agent_id": id,
                    "to_agent_id": to.id,
                    "kind": "handoff",
                    "reason": format!("“{}” can go on", next.plan.name),
                    "project_id": job.project_id,
                    "run_id": job.run_id,
                });
                Draft::new("agent.handoff", id, data)
            }
            Step::Decided([what, why, impact]) => {
                let with = json!({
                    "decision_id": fresh_id(),
                    "what": what,
                    "why": why,
                    "impact": impact,
                    "confidence_score": score(world.rng.between(62, 97)),
                });
                Draft::new("decision_logged", id, about(with))
            }
            Step::Blocked([blocker, suggestion, _]) => {
                world.blocked += 1;
                let with = json!({ "blocker": blocker, "severity": "high", "suggested_resolution": suggestion });
                Draft::new("task_blocked", id, about(with))
            }
            Step::Resolved([_, _, resolution]) => {
                world.blocked = world.blocked.saturating_sub(1);
                Draft::new(
                    "blocker_resolved",
                    id,
                    about(json!({ "resolution": resolution })),
                )
            }
            Step::Completed => {
                if let Some(project) = world.project.as_mut() {
                    project.set(job.place, Stand::Done);
                }
                let seconds = now.saturating_sub(job.since) / 1_000;
                let with = json!({ "success": true, "progress": 100, "duration_seconds": seconds, "run_id": job.run_id });
                Draft::new("task_completed", id, about(with))
            }
        })
    }
}

/// 0.62 for 62.
fn score(percent: u64) -> f64 {
    u32::try_from(percent).map_or(1.0, |percent| f64::from(percent) / 100.0)
}
