//! All flows, and the flows that an event belongs to.

use std::{
    cmp::Ordering,
    collections::{BTreeSet, HashMap},
    sync::Arc,
};

use serde_json::{Value, json};
use smallvec::SmallVec;

use super::{
    accounts::Project,
    flow::{Flow, Sort, is_error},
    limits, stage,
    tasks::{Change, Tasks},
    tenants::{self, Speakers},
};
use crate::{
    event::{Event, Object},
    projections::fair,
    timestamp::Timestamp,
    update::seneca::read,
};

/// Flows that are kept, as far as they fit into their bytes. Beyond it an eighth is evicted at once: flows of the
/// projects that have most, of these first the ended ones, then those that were silent for longest.
const MAX_FLOWS: usize = 1_000;
/// Flows shown at once: the pages draw a card for each. A project's flows don't take the places of another's that has
/// fewer.
const MAX_SHOWN: usize = 50;
/// A flow that has ended is still shown for this long, by the stream's own clock, so that its end can be seen.
const SHOWN_AFTER_END_MICROS: i64 = 300_000_000;
const MICROS_PER_HOUR: i64 = 3_600_000_000;
const MICROS_PER_MINUTE: f64 = 60_000_000.0;

/// The flows by id.
#[derive(Debug)]
pub(super) struct Flows {
    known: HashMap<Arc<str>, Flow>,
    /// The flows that are projects: if there is exactly one, events that name no project belong to it.
    projects: BTreeSet<Arc<str>>,
    /// The time of the latest event: the stream's own clock.
    now: Timestamp,
    /// About how many bytes they hold.
    pub(super) bytes: usize,
    max: usize,
    /// The number of evicted flows.
    pub(super) forgotten: u64,
}

impl Flows {
    /// No flows; they never hold more than so many bytes.
    pub(super) fn new(max: usize) -> Self {
        Self {
            known: HashMap::new(),
            projects: BTreeSet::new(),
            now: Timestamp::default(),
            bytes: 0,
            max,
            forgotten: 0,
        }
    }

    /// Folds `event` into the flows that it belongs to.
    pub(super) fn observe(&mut self, event: &Event, tasks: &Tasks, change: Option<&Change>) {
        self.now = event.timestamp;
        let stage = stage::of(event);
        let mut of: SmallVec<[Arc<str>; 3]> = SmallVec::new();
        if let Some(id) = read::first_text(&event.data, &["flow_id", "flowId"]) {
            of.extend(self.enter(id, Sort::Pipeline, event));
        }
        if let Some(id) = read::run(event) {
            of.extend(self.enter(id, Sort::Run, event));
        }
        if let Some(id) = self.project_of(event, tasks) {
            of.push(id);
        } else if of.is_empty()
            && !event.settled.confined
            && (stage.is_some() || is_error(event) || is_board_state(event))
        {
            of.extend(self.only_project());
        }
        for id in of {
            if let Some(flow) = self.known.get_mut(&id) {
                let before = flow.held();
                flow.fold(event, stage, change.filter(|_| flow.sort == Sort::Project));
                self.bytes = self.bytes + flow.held() - before;
            }
        }
        if self.bytes > self.max {
            self.make_room();
        }
    }

    /// `[{id, project_name, started_at, event_count, current_stage}]`.
    pub(super) fn list(&self) -> Value {
        self.shown()
            .iter()
            .map(|(id, flow)| flow.listed(id))
            .collect()
    }

    /// The dashboard, without its time.
    pub(super) fn dashboard(&self) -> Object {
        let shown = self.shown();
        let (mut counts, mut alerts) = ([0_u64; 3], Vec::new());
        for (id, flow) in &shown {
            let (status, issues) = flow.health();
            let place = ["healthy", "warning", "critical"]
                .iter()
                .position(|s| *s == status);
            if let Some(count) = place.and_then(|at| counts.get_mut(at)) {
                *count += 1;
            }
            if !issues.is_empty() {
                alerts.push(json!({
                    "flow_id": id, "severity": status, "type": "flow_health",
                    "message": issues.join("; "), "timestamp": flow.last,
                }));
            }
        }
        let flows: Vec<Object> = shown.iter().map(|(id, flow)| flow.shown(id)).collect();
        let [healthy, warning, critical] = counts;
        let mut out = Object::new();
        out.insert("active_flows".into(), json!(flows));
        out.insert(
            "health_summary".into(),
            json!({"healthy": healthy, "warning": warning, "critical": critical}),
        );
        out.insert("system_metrics".into(), self.metrics());
        out.insert("alerts".into(), alerts.into());
        out
    }

    /// The `flow_update` of every flow that changed since the last call.
    pub(super) fn take_changed(&mut self) -> Vec<(Arc<str>, Object)> {
        let mut out = Vec::new();
        for (id, flow) in &mut self.known {
            if std::mem::take(&mut flow.changed) {
                out.push((Arc::clone(id), flow.shown(id)));
            }
        }
        out
    }

    /// The numbers of tasks, in all and done, that the projects report.
    pub(super) fn tasks_reported(&self) -> (u64, u64) {
        self.projects
            .iter()
            .filter_map(|id| self.known.get(id))
            .fold((0, 0), |(total, done), flow| {
                (total + flow.total.unwrap_or_default(), done + flow.done())
            })
    }

    /// The time at which the active project ends at its pace so far, if it is the only one.
    pub(super) fn eta(&self) -> Option<Timestamp> {
        self.known.get(&self.only_project()?)?.eta()
    }

    /// `flows_per_hour` counts the flows that ended within the last hour of the stream. While none has ended nothing
    /// has failed either, so the rate is 100.
    fn metrics(&self) -> Value {
        let ended: Vec<_> = self
            .known
            .values()
            .filter_map(|flow| flow.ended.map(|(at, well)| (flow.started, at, well)))
            .collect();
        let hour_ago = self.now.as_micros() - MICROS_PER_HOUR;
        let per_hour = ended
            .iter()
            .filter(|(_, at, _)| at.as_micros() > hour_ago)
            .count();
        let minutes: f64 = ended
            .iter()
            .map(|(from, to, _)| (to.as_micros() - from.as_micros()) as f64 / MICROS_PER_MINUTE)
            .sum();
        let well = ended.iter().filter(|(.., well)| *well).count();
        let (average, rate) = match ended.len() {
            0 => (0.0, 100.0),
            count => (minutes / count as f64, well as f64 / count as f64 * 100.0),
        };
        json!({
            "active_flows": self.known.len() - ended.len(),
            "flows_per_hour": per_hour,
            "avg_completion_time": read::rounded(average),
            "success_rate": read::rounded(rate),
        })
    }

    /// Active flows and those that just ended, the latest started first.
    fn shown(&self) -> Vec<(&Arc<str>, &Flow)> {
        let since = self.now.as_micros() - SHOWN_AFTER_END_MICROS;
        let mut shown: Vec<_> = self
            .known
            .iter()
            .filter(|(_, flow)| flow.ended.is_none_or(|(at, _)| at.as_micros() >= since))
            .collect();
        shown.sort_unstable_by(latest_first);
        if shown.len() <= MAX_SHOWN {
            return shown;
        }
        let mut flows: HashMap<&Project, usize> = HashMap::new();
        for (_, flow) in &shown {
            *flows.entry(&flow.of.project).or_default() += 1;
        }
        // As many flows of each project as fit, and then the latest of any.
        let each = fair::level(flows.values().copied().collect(), MAX_SHOWN).max(1);
        flows.clear();
        let (mut first, rest): (Vec<_>, Vec<_>) = shown.into_iter().partition(|(_, flow)| {
            let before = flows.entry(&flow.of.project).or_default();
            *before += 1;
            *before <= each
        });
        first.truncate(MAX_SHOWN);
        let left = MAX_SHOWN - first.len();
        first.extend(rest.into_iter().take(left));
        first.sort_unstable_by(latest_first);
        first
    }

    /// The project that the event, or its task, names. A board's own id counts only if it is known, or its name is not.
    /// A limited producer speaks of the project that was settled, whatever else it names.
    fn project_of(&mut self, event: &Event, tasks: &Tasks) -> Option<Arc<str>> {
        if event.settled.confined {
            return self.enter(event.project_id.as_deref()?, Sort::Project, event);
        }
        let named = read::project(event)
            .filter(|id| event.board_id() != Some(*id) || self.known.contains_key(*id));
        if let Some(id) = named {
            return self.enter(id, Sort::Project, event);
        }
        if let Some(project) = read::task(event).and_then(|task| tasks.project(task, event)) {
            return self.enter(&project, Sort::Project, event);
        }
        if let Some(name) = read::project_name(event).map(limits::name) {
            let named = |id: &&Arc<str>| {
                self.known.get(*id).and_then(|flow| flow.name.as_deref()) == Some(name)
            };
            // An event that names only a name that several projects have belongs to none of them.
            let mut of_the_name = self.projects.iter().filter(named);
            match (of_the_name.next(), of_the_name.next()) {
                (Some(id), None) => return Some(Arc::clone(id)),
                (Some(_), Some(_)) => return None,
                (None, _) => {}
            }
        }
        let state = read::object(&event.data, "project_state")?;
        let id = read::first_text(state, &["board_id", "project_name"])?;
        self.enter(id, Sort::Project, event)
    }

    fn only_project(&self) -> Option<Arc<str>> {
        match self.projects.len() {
            1 => self.projects.first().cloned(),
            _ => None,
        }
    }

    fn enter(&mut self, id: &str, sort: Sort, event: &Event) -> Option<Arc<str>> {
        // A project's flow is the project's own, whoever speaks of it: another's run with the same id makes room for
        // it.
        if sort == Sort::Project {
            let run = self.known.get(id).filter(|flow| flow.sort != sort);
            if run.is_some_and(|run| run.of.is_other(event)) {
                self.remove(id);
            }
        }
        let named = self.known.get(id).filter(|_| sort != Sort::Project);
        let own_key = tenants::key(id, named.map(|flow| &flow.of), event);
        let id = if sort == Sort::Project { id } else { &*own_key };
        if let Some((known, _)) = self.known.get_key_value(id) {
            let known = Arc::clone(known);
            if let Some(flow) = self.known.get_mut(id) {
                flow.of.hear(event);
            }
            return Some(known);
        }
        if !limits::fits(id) {
            return None;
        }
        if self.known.len() >= MAX_FLOWS {
            self.make_room();
        }
        let id: Arc<str> = id.into();
        let own = || (sort == Sort::Project).then(|| Arc::clone(&id));
        let mut of = Speakers::of(event);
        of.project = of.project.or_else(own);
        let flow = Flow::new(sort, of, event.timestamp);
        self.bytes += id.len() + flow.held();
        self.known.insert(Arc::clone(&id), flow);
        if sort == Sort::Project {
            self.projects.insert(Arc::clone(&id));
        }
        Some(id)
    }

    fn make_room(&mut self) {
        let by_count = self.known.len() >= MAX_FLOWS;
        let target = match by_count {
            true => MAX_FLOWS - MAX_FLOWS / 8,
            false => self.max - self.max / 8,
        };
        let mut known: Vec<_> = self.known.iter().collect();
        known.sort_unstable_by_key(|(id, flow)| (flow.ended.is_none(), flow.last, *id));
        let ranked = known.into_iter().map(|(id, flow)| {
            let weight = if by_count { 1 } else { id.len() + flow.held() };
            (&flow.of.project, weight, id)
        });
        let going = fair::leaving(ranked.collect(), target).into_iter();
        for id in going.map(Arc::clone).collect::<Vec<_>>() {
            self.remove(&id);
        }
    }

    fn remove(&mut self, id: &str) {
        if let Some(gone) = self.known.remove(id) {
            self.bytes -= id.len() + gone.held();
            self.forgotten += 1;
        }
        self.projects.remove(id);
    }
}

/// The order in which flows are shown.
fn latest_first(a: &(&Arc<str>, &Flow), b: &(&Arc<str>, &Flow)) -> Ordering {
    (b.1.started, a.0).cmp(&(a.1.started, b.0))
}

/// Whether an event has the totals of a board without its name.
fn is_board_state(event: &Event) -> bool {
    event.name.canonical() == "refresh.project.state.complete"
}
