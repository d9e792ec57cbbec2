//! One flow: a project, a run or a pipeline flow, as the stream has shown it.

use std::{collections::BTreeSet, sync::Arc};

use serde_json::{Value, json};

use super::{
    limits,
    stage::{FIRST_OF_WORK, STAGES},
    tasks::{Change, Standing},
    tenants::Speakers,
};
use crate::{
    event::{Event, Object},
    timestamp::Timestamp,
    update::seneca::read,
};

/// An error stays a warning for this long, by the stream's own clock.
const ERROR_MEMORY_MICROS: i64 = 300_000_000;
/// Blocked tasks named apart; a flow with more is no less blocked.
const MAX_BLOCKED: usize = 100;

/// The sort of a flow, which decides how its progress is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Sort {
    Project,
    Run,
    Pipeline,
}

/// The facts of a flow.
#[derive(Debug)]
pub(super) struct Flow {
    pub(super) sort: Sort,
    /// The name for people; its id until an event says one.
    pub(super) name: Option<Box<str>>,
    /// Its project, which evicts by it, and the producers that speak of it.
    pub(super) of: Speakers,
    /// Its first event.
    pub(super) started: Timestamp,
    /// Its latest event.
    pub(super) last: Timestamp,
    /// The number of its events.
    pub(super) events: u64,
    /// Its place in [`STAGES`].
    pub(super) stage: Option<usize>,
    /// The number of its tasks (or nodes), once an event said it.
    pub(super) total: Option<u64>,
    /// The number of done tasks by the latest report.
    done_reported: u64,
    /// The number of tasks that were seen to be done. A report and the events it counts arrive in any order, so the two
    /// are never added.
    done_seen: u64,
    /// The progress that the producer reports, 0 to 100.
    reported: f64,
    /// Its tasks that cannot go on.
    blocked: BTreeSet<Arc<str>>,
    /// Bytes that their ids hold.
    blocked_bytes: usize,
    /// The number of its errors.
    errors: u64,
    /// The time of its latest error.
    last_error: Option<Timestamp>,
    /// Steps that took longer than planned.
    slow: u64,
    /// The time of its end, and whether it ended well.
    pub(super) ended: Option<(Timestamp, bool)>,
    /// Whether it changed since its `flow_update` was last taken.
    pub(super) changed: bool,
}

impl Flow {
    pub(super) fn new(sort: Sort, of: Speakers, at: Timestamp) -> Self {
        Self {
            sort,
            name: None,
            of,
            started: at,
            last: at,
            events: 0,
            stage: None,
            total: None,
            done_reported: 0,
            done_seen: 0,
            reported: 0.0,
            blocked: BTreeSet::new(),
            blocked_bytes: 0,
            errors: 0,
            last_error: None,
            slow: 0,
            ended: None,
            changed: true,
        }
    }

    /// About how many bytes of memory it holds.
    pub(super) fn held(&self) -> usize {
        let name = self.name.as_ref().map_or(0, |name| name.len());
        let of = self.of.project.as_ref().map_or(0, |project| project.len());
        size_of::<Self>() + limits::ENTRY + name + of + self.blocked_bytes
    }

    /// Folds an event of this flow.
    pub(super) fn fold(&mut self, event: &Event, stage: Option<usize>, change: Option<&Change>) {
        self.events += 1;
        self.last = event.timestamp;
        self.started = self.started.min(event.timestamp);
        self.changed = true;
        if let Some(name) = read::project_name(event).map(limits::name)
            && self.name.as_deref() != Some(name)
        {
            self.name = Some(name.into());
        }
        self.enter(stage);
        self.measure(event);
        if let Some(change) = change {
            self.follow(change);
        }
        if is_error(event) {
            self.errors += 1;
            self.last_error = Some(event.timestamp);
        }
        let hours = |key| read::number(&event.data, key);
        if event.name.canonical() == "task.completed"
            && let (Some(planned), Some(taken)) = (hours("estimated_hours"), hours("actual_hours"))
        {
            self.slow += u64::from(taken > planned);
        }
        self.end(event);
    }

    /// The number of its tasks (or nodes) that are done: as reported or as seen, whichever is more.
    pub(super) fn done(&self) -> u64 {
        self.done_reported.max(self.done_seen)
    }

    /// Its share done, 0 to 100.
    pub(super) fn progress(&self) -> f64 {
        if matches!(self.ended, Some((_, true))) {
            return 100.0;
        }
        let counted = match self.total {
            Some(total) if total > 0 => self.done().min(total) as f64 / total as f64 * 100.0,
            _ => 0.0,
        };
        let staged = match (self.sort, self.stage) {
            (Sort::Pipeline, Some(stage)) => stage as f64 / STAGES.len() as f64 * 100.0,
            _ => 0.0,
        };
        counted.max(staged).max(self.reported).clamp(0.0, 100.0)
    }

    /// The time at which it ends if it goes on at the pace so far; `None` before there is a pace.
    pub(super) fn eta(&self) -> Option<Timestamp> {
        let progress = self.progress();
        let elapsed = self.last.as_micros() - self.started.as_micros();
        if self.ended.is_some() || progress <= 0.0 || progress >= 100.0 || elapsed <= 0 {
            return None;
        }
        let left = elapsed as f64 * (100.0 - progress) / progress;
        Some(Timestamp::from_micros(
            self.last.as_micros().saturating_add(left as i64),
        ))
    }

    /// `healthy`, `warning` or `critical`, and the reasons.
    pub(super) fn health(&self) -> (&'static str, Vec<String>) {
        let mut issues = Vec::new();
        let failed = matches!(self.ended, Some((_, false)));
        if failed {
            issues.push("The flow has failed".to_owned());
        }
        if !self.blocked.is_empty() && self.ended.is_none() {
            issues.push(format!("Blocked tasks: {}", self.blocked.len()));
        }
        let recent = self
            .last_error
            .is_some_and(|at| self.last.as_micros() - at.as_micros() <= ERROR_MEMORY_MICROS);
        if recent && self.ended.is_none() {
            issues.push(format!("Errors so far: {}", self.errors));
        }
        let status = match (failed, issues.is_empty()) {
            (true, _) => "critical",
            (false, false) => "warning",
            (false, true) => "healthy",
        };
        (status, issues)
    }

    /// The line of `active_flows_update`.
    pub(super) fn listed(&self, id: &str) -> Value {
        json!({
            "id": id,
            "project_name": self.name.as_deref().unwrap_or(id),
            "started_at": self.started,
            "event_count": self.events,
            "current_stage": self.stage_name(),
        })
    }

    /// The flow of `dashboard_update` and `flow_update`.
    pub(super) fn shown(&self, id: &str) -> Object {
        let (status, issues) = self.health();
        let (done, of) = match self.total {
            Some(total) if total > 0 => (self.done().min(total), total),
            _ => (self.events, self.events),
        };
        let mut out = Object::new();
        let mut put = |key: &str, value: Value| out.insert(key.into(), value);
        put("flow_id", id.into());
        put("project_name", self.name.as_deref().unwrap_or(id).into());
        put("progress_percentage", read::rounded(self.progress()));
        // The page shows the stage as it is: for a flow without one, words read better than an empty field.
        put(
            "current_stage",
            self.stage_name().unwrap_or("unknown").into(),
        );
        put("eta", json!(self.eta()));
        put("events_completed", done.into());
        put("events_total_estimated", of.into());
        put(
            "health_status",
            json!({
                "flow_id": id,
                "status": status,
                "issues": issues,
                "metrics": {"error_count": self.errors, "slow_stages": self.slow},
            }),
        );
        out
    }

    fn stage_name(&self) -> Option<&'static str> {
        STAGES.get(self.stage?).copied()
    }

    fn enter(&mut self, stage: Option<usize>) {
        let Some(stage) = stage else { return };
        let back_to_planning =
            stage < FIRST_OF_WORK && self.stage.is_some_and(|now| now >= FIRST_OF_WORK);
        if !back_to_planning {
            self.stage = Some(stage);
        }
    }

    /// Totals and progress, wherever the dialect has them.
    fn measure(&mut self, event: &Event) {
        let inner = ["project_state", "run"]
            .iter()
            .find_map(|key| read::object(&event.data, key));
        for facts in [Some(&event.data), inner].into_iter().flatten() {
            if let Some(total) =
                read::first_count(facts, &["total_tasks", "total_nodes", "task_count"])
            {
                self.total = Some(total);
            }
            let done = ["completed_tasks", "completed_nodes", "completed"];
            if let Some(done) = read::first_count(facts, &done) {
                self.done_reported = done;
            }
            let keys: &[&str] = match (self.sort, event.name.family()) {
                // A task's own progress is not the project's.
                (Sort::Project, "project") | (Sort::Run, "workflow" | "execution") => {
                    &["progress_percent", "progress_percentage", "progress"]
                }
                _ => &["progress_percent", "progress_percentage"],
            };
            let said = keys.iter().find_map(|key| read::number(facts, key));
            if let Some(said) = said {
                self.reported = self.reported.max(said);
            }
        }
    }

    fn follow(&mut self, change: &Change) {
        match change.to {
            Standing::Done => self.done_seen += 1,
            Standing::Blocked if self.blocked.len() < MAX_BLOCKED => {
                self.block(&change.task);
            }
            _ => {}
        }
        if change.from == Standing::Done {
            self.done_seen = self.done_seen.saturating_sub(1);
        }
        if change.to != Standing::Blocked && self.blocked.remove(&change.task) {
            self.blocked_bytes -= blocked_bytes(&change.task);
        }
    }

    fn block(&mut self, task: &Arc<str>) {
        if self.blocked.insert(Arc::clone(task)) {
            self.blocked_bytes += blocked_bytes(task);
        }
    }

    fn end(&mut self, event: &Event) {
        let name = event.name.canonical();
        let own = match self.sort {
            Sort::Project => event.name.family() == "project",
            Sort::Run => name.contains("run.") || event.name.family() == "execution",
            Sort::Pipeline => event.name.family() == "pipeline",
        };
        if !own {
            return;
        }
        match event.name.change_type() {
            "completed" => self.ended = Some((event.timestamp, true)),
            "failed" | "cancelled" => self.ended = Some((event.timestamp, false)),
            "created" | "started" => self.ended = None,
            _ => {}
        }
    }
}

fn blocked_bytes(task: &str) -> usize {
    limits::ENTRY + task.len()
}

/// Whether an event reports an error.
pub(super) fn is_error(event: &Event) -> bool {
    matches!(event.name.change_type(), "error" | "failed" | "exception")
}
