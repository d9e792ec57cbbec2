//! The tasks of the stream: how many are under way, done, or blocked and by what.
//!
//! The same fact may arrive in up to three dialects. What is counted is therefore the change of a task's
//! state, not the event: the second report of a completion changes nothing.

use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
};

use serde_json::Value;

use super::limits::{self, ENTRY};
use crate::{event::Event, timestamp::Timestamp, update::seneca::read};

/// Tasks kept, as far as they fit into their bytes; beyond it the first that were done are forgotten, and new ones are not tracked if none was.
const MAX_TASKS: usize = 10_000;
/// Blockers shown; the counts go on beyond.
const MAX_BLOCKERS: usize = 100;
/// Bytes of what an agent said of a blocker that are kept.
const MAX_SAID: usize = 4_096;

/// Where a task stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Standing {
    Open,
    InProgress,
    Blocked,
    Done,
}

/// What keeps a task from going on.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Blocker {
    /// What the agent said.
    pub(super) text: String,
    /// `low`, `medium`, `high`; `medium` if the agent did not say.
    pub(super) severity: String,
    /// The remedy that the agent proposed, if it did.
    pub(super) suggestion: Option<String>,
    /// Since when.
    pub(super) since: Timestamp,
}

impl Blocker {
    fn held(&self) -> usize {
        let suggestion = self.suggestion.as_ref().map_or(0, String::len);
        ENTRY + self.text.len() + self.severity.len() + suggestion
    }
}

/// The change that one event made.
#[derive(Debug, Clone)]
pub(super) struct Change {
    /// Which task.
    pub(super) task: Arc<str>,
    /// Where it stood.
    pub(super) from: Standing,
    /// Where it stands now.
    pub(super) to: Standing,
}

/// The tasks by id.
#[derive(Debug)]
pub(super) struct Tasks {
    /// Where each stands, and its project if an event ever said so.
    known: HashMap<Arc<str>, Task>,
    /// Those that are done, oldest first, to forget them in order.
    finished: BTreeMap<u64, Arc<str>>,
    /// Counts tasks that were done: the order of these.
    turn: u64,
    /// About how many bytes the tasks hold.
    bytes: usize,
    /// The same of the blockers, of which there are few.
    blocker_bytes: usize,
    /// No more than this.
    max: usize,
    /// How many went for others, or were not taken.
    pub(super) forgotten: u64,
    /// How many the stream has shown.
    pub(super) total: u64,
    /// How many are under way.
    pub(super) in_progress: u64,
    /// How many are done.
    pub(super) done: u64,
    /// Times that a task was completed; unlike `done` it never goes back.
    pub(super) completions: u64,
    /// Times that a task was blocked.
    pub(super) blocks: u64,
    /// What blocks now, by task.
    pub(super) blockers: BTreeMap<Arc<str>, Blocker>,
}

#[derive(Debug)]
struct Task {
    standing: Standing,
    project: Option<Arc<str>>,
    /// Its place among those that are done.
    turn: Option<u64>,
}

impl Task {
    fn held(&self, id: &str) -> usize {
        ENTRY + id.len() + self.project.as_ref().map_or(0, |project| project.len())
    }
}

impl Tasks {
    /// None, and never more than so many bytes of them.
    pub(super) fn new(max: usize) -> Self {
        Self {
            known: HashMap::new(),
            finished: BTreeMap::new(),
            turn: 0,
            bytes: 0,
            blocker_bytes: 0,
            max,
            forgotten: 0,
            total: 0,
            in_progress: 0,
            done: 0,
            completions: 0,
            blocks: 0,
            blockers: BTreeMap::new(),
        }
    }

    /// About how many bytes they and their blockers hold.
    pub(super) fn bytes(&self) -> usize {
        self.bytes + self.blocker_bytes
    }

    /// Folds `event`; the change it made, if it did.
    pub(super) fn observe(&mut self, event: &Event) -> Option<Change> {
        let id = read::task(event).filter(|id| limits::fits(id));
        if let Some(id) = id {
            self.move_to(id, project_of(event));
        }
        let to = standing_after(event)?;
        let Some(id) = id else {
            // Reports that name no task can only be counted.
            self.completions += u64::from(to == Standing::Done);
            self.blocks += u64::from(to == Standing::Blocked);
            return None;
        };
        let (task, from) = self.enter(id, project_of(event))?;
        if event.name.canonical() == "blocker.resolved" && from != Standing::Blocked {
            return None;
        }
        let again = from == to && (to != Standing::Blocked || self.same_blocker(&task, event));
        if again {
            return None;
        }
        self.leave(from);
        match to {
            Standing::Open => {}
            Standing::InProgress => self.in_progress += 1,
            Standing::Blocked => self.block(&task, event),
            Standing::Done => {
                self.done += 1;
                self.completions += 1;
                self.turn += 1;
                self.finished.insert(self.turn, Arc::clone(&task));
            }
        }
        if to != Standing::Blocked {
            let gone = self.blockers.remove(&task);
            self.blocker_bytes -= gone.as_ref().map_or(0, Blocker::held);
        }
        if let Some(known) = self.known.get_mut(&task) {
            known.standing = to;
            let before = known.turn.take();
            known.turn = (to == Standing::Done).then_some(self.turn);
            if let Some(before) = before {
                self.finished.remove(&before);
            }
        }
        Some(Change { task, from, to })
    }

    /// The project of a task, if an event ever said so.
    pub(super) fn project(&self, task: &str) -> Option<Arc<str>> {
        self.known.get(task)?.project.clone()
    }

    /// A task that is named with another project is one of that from now on, if that fits.
    fn move_to(&mut self, id: &str, project: Option<&Arc<str>>) {
        let (Some(project), Some(task)) = (project, self.known.get_mut(id)) else {
            return;
        };
        let before = task.project.as_ref().map_or(0, |project| project.len());
        let bytes = self.bytes - before + project.len();
        if task.project.as_ref() != Some(project) && bytes <= self.max {
            self.bytes = bytes;
            task.project = Some(Arc::clone(project));
        }
    }

    fn enter(&mut self, id: &str, project: Option<&Arc<str>>) -> Option<(Arc<str>, Standing)> {
        if let Some((id, task)) = self.known.get_key_value(id) {
            return Some((Arc::clone(id), task.standing));
        }
        let task = Task {
            standing: Standing::Open,
            project: project.cloned(),
            turn: None,
        };
        let held = task.held(id);
        while self.known.len() >= MAX_TASKS || self.bytes + held > self.max {
            self.forgotten += 1;
            let (_, oldest) = self.finished.pop_first()?;
            if let Some(gone) = self.known.remove(&oldest) {
                self.bytes -= gone.held(&oldest);
            }
        }
        self.bytes += held;
        let id: Arc<str> = id.into();
        self.known.insert(Arc::clone(&id), task);
        self.total += 1;
        Some((id, Standing::Open))
    }

    fn leave(&mut self, from: Standing) {
        match from {
            Standing::InProgress => self.in_progress = self.in_progress.saturating_sub(1),
            Standing::Done => self.done = self.done.saturating_sub(1),
            Standing::Open | Standing::Blocked => {}
        }
    }

    fn same_blocker(&self, task: &str, event: &Event) -> bool {
        let known = self.blockers.get(task).map(|blocker| blocker.text.as_str());
        known.is_none() || known == Some(blocker_text(event))
    }

    fn block(&mut self, task: &Arc<str>, event: &Event) {
        self.blocks += 1;
        if self.blockers.len() >= MAX_BLOCKERS && !self.blockers.contains_key(task) {
            return;
        }
        let data = &event.data;
        let first = |key: &str| data.get(key)?.as_array()?.first()?.as_str();
        let blocker = Blocker {
            text: blocker_text(event).to_owned(),
            severity: limits::name(read::text(data, "severity").unwrap_or("medium")).to_owned(),
            suggestion: read::text(data, "suggested_resolution")
                .or_else(|| first("suggested_solutions"))
                .map(|text| limits::cut(text, MAX_SAID).to_owned()),
            since: event.timestamp,
        };
        self.blocker_bytes += blocker.held();
        let gone = self.blockers.insert(Arc::clone(task), blocker);
        self.blocker_bytes -= gone.as_ref().map_or(0, Blocker::held);
    }
}

fn project_of(event: &Event) -> Option<&Arc<str>> {
    let project = event.project_id.as_ref();
    project.filter(|project| limits::fits(project))
}

fn blocker_text(event: &Event) -> &str {
    let data = &event.data;
    let text = read::first_text(data, &["blocker_description", "blocker", "message"])
        .or_else(|| data.get("blockers")?.as_array()?.first()?.as_str())
        .unwrap_or_default();
    limits::cut(text, MAX_SAID)
}

/// Where the task stands after `event`; `None` if the event does not say.
fn standing_after(event: &Event) -> Option<Standing> {
    let status = || match read::text(&event.data, "status")? {
        "todo" | "open" => Some(Standing::Open),
        "in_progress" | "active" | "working" => Some(Standing::InProgress),
        "blocked" => Some(Standing::Blocked),
        "completed" | "done" => Some(Standing::Done),
        _ => None,
    };
    match event.name.canonical() {
        "task.created" | "task.added" | "task.unassigned" => Some(Standing::Open),
        "task.assigned" | "task.assignment" | "task.started" | "blocker.resolved" => {
            Some(Standing::InProgress)
        }
        "task.completed" if event.data.get("success") == Some(&Value::Bool(false)) => {
            Some(Standing::Blocked)
        }
        "task.completed" => Some(Standing::Done),
        "task.blocked" | "blocker.reported" | "blocker.report" => Some(Standing::Blocked),
        "progress.update" => status(),
        _ if event.name.family() == "task" => status(),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::event::Dialect;
    use crate::update::seneca::testing::event;

    fn fold(tasks: &mut Tasks, name: &str, data: Value) -> Option<Change> {
        tasks.observe(&event(Dialect::Canonical, name, data))
    }

    #[test]
    fn one_fact_in_three_dialects_counts_once() {
        let mut tasks = Tasks::new(1 << 20);
        for name in ["task_assignment", "task_assigned", "task_started"] {
            fold(&mut tasks, name, json!({"task_id": "t"}));
        }
        assert_eq!((tasks.total, tasks.in_progress), (1, 1));
        fold(
            &mut tasks,
            "progress_update",
            json!({"task_id": "t", "status": "completed"}),
        );
        assert!(fold(&mut tasks, "task_completed", json!({"task_id": "t"})).is_none());
        assert_eq!(
            (tasks.done, tasks.completions, tasks.in_progress),
            (1, 1, 0)
        );
    }

    #[test]
    fn a_block_is_counted_once_and_lifted() {
        let mut tasks = Tasks::new(1 << 20);
        let blocked =
            json!({"task_id": "t", "blocker": "No key", "suggested_resolution": "Add it"});
        fold(&mut tasks, "task_blocked", blocked.clone());
        fold(
            &mut tasks,
            "task_progress",
            json!({"task_id": "t", "status": "blocked", "message": "No key"}),
        );
        assert_eq!(tasks.blocks, 1);
        assert_eq!(tasks.blockers["t"].suggestion.as_deref(), Some("Add it"));
        fold(
            &mut tasks,
            "task_completed",
            json!({"task_id": "t", "success": false, "blockers": ["Another"]}),
        );
        assert_eq!(tasks.blocks, 2);
        fold(&mut tasks, "blocker_resolved", json!({"task_id": "t"}));
        assert!(tasks.blockers.is_empty());
        assert_eq!(tasks.in_progress, 1);
    }

    #[test]
    fn a_task_done_again_and_again_is_remembered_as_done_once() {
        let mut tasks = Tasks::new(1 << 20);
        for _ in 0..50 {
            fold(&mut tasks, "task_started", json!({"task_id": "t"}));
            assert!(tasks.finished.is_empty());
            fold(&mut tasks, "task_completed", json!({"task_id": "t"}));
            assert_eq!(tasks.finished.len(), 1);
        }
    }

    #[test]
    fn what_they_hold_is_bounded_and_the_finished_go_first() {
        let mut tasks = Tasks::new(100 * 1_024);
        let id = |n: usize| format!("{n:01000}");
        for n in 0..1_000 {
            let blocked = json!({"task_id": id(n), "blocker": "x".repeat(9_000)});
            let name = if n < 10 {
                "task_blocked"
            } else {
                "task_completed"
            };
            fold(&mut tasks, name, blocked);
        }
        assert!(tasks.bytes <= 100 * 1_024 && tasks.bytes > 80 * 1_024);
        assert!(tasks.blocker_bytes < 10 * 5_000);
        assert!((0..10).all(|n| tasks.known.contains_key(&*id(n))));
        assert!(tasks.known.contains_key(&*id(999)));
        assert_eq!(tasks.forgotten, 1_000 - tasks.known.len() as u64);
        for n in 0..10 {
            fold(&mut tasks, "blocker_resolved", json!({"task_id": id(n)}));
        }
        assert_eq!(tasks.blocker_bytes, 0);
    }

    #[test]
    fn a_resolution_does_not_reopen_what_is_done() {
        let mut tasks = Tasks::new(1 << 20);
        fold(&mut tasks, "task_completed", json!({"task_id": "t"}));
        fold(&mut tasks, "blocker_resolved", json!({"task_id": "t"}));
        assert_eq!(tasks.done, 1);
    }
}
