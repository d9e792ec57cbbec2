//! The tasks of the stream: the numbers of those in progress, done and blocked, and the blockers.
//!
//! The same fact may arrive in up to three dialects. So the changes of a task's state are counted, and not the events:
//! the second report of a completion changes nothing.

#[cfg(test)]
mod tests;

use std::{
    borrow::Cow,
    collections::{BTreeMap, HashMap},
    sync::Arc,
};

use serde_json::Value;

use super::{
    accounts::{Accounts, Project},
    blocker::{self, Blocker},
    limits::{self, ENTRY},
    tenants::{self, Speakers},
};
use crate::{event::Event, update::seneca::read};

/// Tasks that are kept, as far as they fit into their bytes. Beyond it the project that has most forgets the tasks that
/// were done first. If none was done, its own new tasks are not tracked, and its oldest make room for another's.
const MAX_TASKS: usize = 10_000;
/// Blockers that are shown; the counts go on beyond.
const MAX_BLOCKERS: usize = 100;

/// The state of a task.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Standing {
    Open,
    InProgress,
    Blocked,
    Done,
}

/// The change that one event made.
#[derive(Debug, Clone)]
pub(super) struct Change {
    pub(super) task: Arc<str>,
    /// The state before it.
    pub(super) from: Standing,
    /// The state after it.
    pub(super) to: Standing,
}

/// The tasks by id.
#[derive(Debug)]
pub(super) struct Tasks {
    /// The state of each task, and its project if an event ever said it.
    known: HashMap<Arc<str>, Task>,
    /// The tasks of each project.
    projects: Accounts<Own>,
    /// A number for each move to and from done: the order of tasks.
    turn: u64,
    /// About how many bytes the tasks hold.
    bytes: usize,
    /// About how many bytes the blockers hold, of which there are few.
    blocker_bytes: usize,
    max: usize,
    /// The number of tasks that were evicted or not taken.
    pub(super) forgotten: u64,
    /// The number of tasks that the stream has shown.
    pub(super) total: u64,
    /// The number of tasks in progress.
    pub(super) in_progress: u64,
    /// The number of done tasks.
    pub(super) done: u64,
    /// The number of completions; unlike `done` it never goes back.
    pub(super) completions: u64,
    /// The number of times that a task was blocked.
    pub(super) blocks: u64,
    /// The present blockers, by task.
    pub(super) blockers: BTreeMap<Arc<str>, Blocker>,
}

#[derive(Debug)]
struct Task {
    standing: Standing,
    of: Speakers,
    /// Its place in the order of its project's done tasks, or of the others.
    turn: u64,
}

/// The tasks of a project, to forget them in order.
#[derive(Debug, Default)]
struct Own {
    /// Its done tasks.
    done: BTreeMap<u64, Arc<str>>,
    /// Its other tasks.
    open: BTreeMap<u64, Arc<str>>,
}

impl Own {
    fn of(&mut self, standing: Standing) -> &mut BTreeMap<u64, Arc<str>> {
        match standing {
            Standing::Done => &mut self.done,
            _ => &mut self.open,
        }
    }
}

impl Task {
    fn held(&self, id: &str) -> usize {
        // The entries in its project's maps.
        const PLACES: usize = 64;
        let project = self.of.project.as_ref().map_or(0, |project| project.len());
        ENTRY + PLACES + id.len() + project
    }
}

impl Tasks {
    /// No tasks; they never hold more than so many bytes.
    pub(super) fn new(max: usize) -> Self {
        Self {
            known: HashMap::new(),
            projects: Accounts::default(),
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
        self.kept_bytes() + self.blocker_bytes
    }

    /// Folds `event`; returns the change that it made, if any.
    pub(super) fn observe(&mut self, event: &Event) -> Option<Change> {
        let id = read::task(event).filter(|id| limits::fits(id));
        let id = id.map(|id| self.key(id, event));
        let id = id.as_deref();
        if let Some(id) = id {
            self.move_to(id, project_of(event));
        }
        let to = standing_after(event)?;
        let Some(id) = id else {
            // Reports without a task can only be counted.
            self.completions += u64::from(to == Standing::Done);
            self.blocks += u64::from(to == Standing::Blocked);
            return None;
        };
        let (task, from) = self.enter(id, event)?;
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
            }
        }
        if to != Standing::Blocked {
            self.unblock(&task);
        }
        self.place(&task, to);
        Some(Change { task, from, to })
    }

    /// The project of a task, if an event ever said it.
    pub(super) fn project(&self, task: &str, event: &Event) -> Option<Arc<str>> {
        let task = self.known.get(&*self.key(task, event))?;
        task.of.project.clone()
    }

    /// The id by which the task is kept that an event names so.
    fn key<'i>(&self, id: &'i str, event: &Event) -> Cow<'i, str> {
        tenants::key(id, self.known.get(id).map(|task| &task.of), event)
    }

    /// About how many bytes they hold without their blockers.
    fn kept_bytes(&self) -> usize {
        self.bytes + self.projects.bytes
    }

    /// The share of both bounds that a task takes: a project may have many tasks or long ids.
    fn weigh(&self, id: &str, task: &Task) -> usize {
        task.held(id).max(self.max / MAX_TASKS)
    }

    /// Moves a task to another state.
    fn place(&mut self, id: &Arc<str>, to: Standing) {
        let Some(task) = self.known.get_mut(id) else {
            return;
        };
        let from = std::mem::replace(&mut task.standing, to);
        if (from == Standing::Done) == (to == Standing::Done) {
            return;
        }
        self.turn += 1;
        let before = std::mem::replace(&mut task.turn, self.turn);
        if let Some(own) = self.projects.get_mut(&task.of.project) {
            own.of(from).remove(&before);
            own.of(to).insert(self.turn, Arc::clone(id));
        }
    }

    /// Moves a task that is named with another project to that one, if it fits there.
    fn move_to(&mut self, id: &str, project: Option<&Arc<str>>) {
        let (Some(project), Some((id, task))) = (project, self.known.get_key_value(id)) else {
            return;
        };
        if task.of.project.as_ref() == Some(project) {
            return;
        }
        let before = task.of.project.as_ref().map_or(0, |project| project.len());
        if self.kept_bytes() - before + project.len() > self.max {
            return;
        }
        let id = Arc::clone(id);
        if let Some(task) = self.remove(&id) {
            let mut task = task;
            task.of.project = Some(Arc::clone(project));
            self.insert(id, task);
        }
    }

    fn insert(&mut self, id: Arc<str>, task: Task) {
        self.bytes += task.held(&id);
        let weight = self.weigh(&id, &task);
        let own = self.projects.add(&task.of.project, weight);
        own.of(task.standing).insert(task.turn, Arc::clone(&id));
        self.known.insert(id, task);
    }

    fn remove(&mut self, id: &Arc<str>) -> Option<Task> {
        let task = self.known.remove(id)?;
        self.bytes -= task.held(id);
        if let Some(own) = self.projects.get_mut(&task.of.project) {
            own.of(task.standing).remove(&task.turn);
        }
        let weight = self.weigh(id, &task);
        self.projects.take(&task.of.project, weight);
        Some(task)
    }

    fn enter(&mut self, id: &str, event: &Event) -> Option<(Arc<str>, Standing)> {
        if let Some(task) = self.known.get_mut(id) {
            task.of.hear(event);
        }
        if let Some((id, task)) = self.known.get_key_value(id) {
            return Some((Arc::clone(id), task.standing));
        }
        self.turn += 1;
        let task = Task {
            standing: Standing::Open,
            of: Speakers::of(event).in_project(project_of(event)),
            turn: self.turn,
        };
        let held = task.held(id);
        while self.known.len() >= MAX_TASKS || self.kept_bytes() + held > self.max {
            self.forgotten += 1;
            self.make_room(&task.of.project)?;
        }
        let id: Arc<str> = id.into();
        self.insert(Arc::clone(&id), task);
        self.total += 1;
        Some((id, Standing::Open))
    }

    /// Evicts a task for a new one of this project; none if the project has most itself, and none of its tasks is done.
    fn make_room(&mut self, project: &Project) -> Option<()> {
        let most = self.projects.most()?.clone();
        let own = self.projects.get_mut(&most)?;
        let (id, open) = match own.done.first_key_value() {
            Some((_, id)) => (Arc::clone(id), false),
            None if most == *project => return None,
            None => (Arc::clone(own.open.first_key_value()?.1), true),
        };
        let gone = self.remove(&id)?;
        // The counts of tasks in progress and the list of blockers are of kept tasks only. Tasks that were done stay
        // counted.
        if open {
            self.leave(gone.standing);
            self.unblock(&id);
        }
        Some(())
    }

    fn unblock(&mut self, task: &str) {
        let gone = self.blockers.remove(task);
        self.blocker_bytes -= gone.as_ref().map_or(0, Blocker::held);
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
        known.is_none() || known == Some(blocker::text(event))
    }

    /// The blocker that is evicted for another task's: the oldest of the project that has most, unless the other
    /// project would then have as many.
    fn blocker_to_go(&self, task: &str) -> Option<Arc<str>> {
        let of = |task: &str| {
            self.known
                .get(task)
                .and_then(|task| task.of.project.as_ref())
        };
        let mut shown: HashMap<Option<&Arc<str>>, usize> = HashMap::new();
        for task in self.blockers.keys() {
            *shown.entry(of(task)).or_default() += 1;
        }
        let own = shown.get(&of(task)).copied().unwrap_or(0);
        let (most, count) = shown.into_iter().max_by_key(|(_, count)| *count)?;
        let theirs = self.blockers.iter().filter(|(task, _)| of(task) == most);
        let (oldest, _) = theirs.min_by_key(|(_, blocker)| blocker.since)?;
        (own + 1 < count).then(|| Arc::clone(oldest))
    }

    fn block(&mut self, task: &Arc<str>, event: &Event) {
        self.blocks += 1;
        if self.blockers.len() >= MAX_BLOCKERS && !self.blockers.contains_key(task) {
            let Some(other) = self.blocker_to_go(task) else {
                return;
            };
            self.unblock(&other);
        }
        let blocker = Blocker::of(event);
        self.blocker_bytes += blocker.held();
        let gone = self.blockers.insert(Arc::clone(task), blocker);
        self.blocker_bytes -= gone.as_ref().map_or(0, Blocker::held);
    }
}

fn project_of(event: &Event) -> Option<&Arc<str>> {
    let project = event.project_id.as_ref();
    project.filter(|project| limits::fits(project))
}

/// The state of the task after `event`; `None` if the event does not say it.
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
