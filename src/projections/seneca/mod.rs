//! The dashboards of Seneca's pages: summary, metrics, flows, agents, health, the latest lines.
//!
//! The dashboard is fed every event in order and keeps a bounded picture. It never asks for the time: "today" and "the last
//! hour" are those of the latest event, so that a replayed recording looks as it did live; only the REST
//! answers take the present time. It cannot fail.

mod accounts;
mod blocker;
mod flow;
mod flows;
mod health;
mod history;
mod limits;
mod metrics;
mod stage;
mod tally;
mod tasks;
mod tenants;
#[cfg(test)]
mod tests;
mod workers;

use std::{collections::BTreeMap, sync::Arc};

use serde_json::{Value, json};
use smallvec::SmallVec;

pub use limits::Forgotten;
pub(crate) use metrics::DashboardMetrics;

use self::{
    flows::Flows, health::Health, history::History, limits::Shares, tally::Tally, tasks::Tasks,
    workers::Workers,
};
use crate::{
    event::{Event, Object},
    timestamp::Timestamp,
    update::{
        harmless_object,
        seneca::{ConversationEvent, read},
    },
};

const MICROS_PER_HOUR: i64 = 3_600_000_000;

/// Updates whose content changed: the Socket.IO event's name and the body.
pub type Changes = SmallVec<[(&'static str, Object); 5]>;

/// Bytes that a dashboard without another bound holds.
const MAX_BYTES: usize = 32 << 20;

/// The running picture.
#[derive(Debug)]
pub struct Dashboard {
    /// The latest lines, for REST.
    history: History,
    tally: Tally,
    workers: Workers,
    tasks: Tasks,
    /// Projects, runs and pipeline flows.
    flows: Flows,
    /// The reported health of the system.
    health: Health,
    /// Whether the health changed since it was last taken.
    health_changed: bool,
    /// Whether anything was observed since the changes were last taken: if not, nothing needs to be compared.
    observed: bool,
    /// The last objects that were sent, by event name, to see whether they changed.
    given: BTreeMap<&'static str, Object>,
    /// Whether the bodies are made harmless for pages that put them into HTML: the kept texts stay as they were said.
    sanitize: bool,
}

impl Default for Dashboard {
    fn default() -> Self {
        Self::new()
    }
}

impl Dashboard {
    /// An empty dashboard.
    pub fn new() -> Self {
        Self::within(MAX_BYTES)
    }

    /// An empty dashboard that never holds more bytes than these.
    pub fn within(max_bytes: usize) -> Self {
        let shares = Shares::of(max_bytes);
        Self {
            history: History::new(shares.lines),
            tally: Tally::default(),
            workers: Workers::new(shares.agents),
            tasks: Tasks::new(shares.tasks),
            flows: Flows::new(shares.flows),
            health: Health::new(shares.readings),
            health_changed: false,
            observed: false,
            given: BTreeMap::new(),
            sanitize: false,
        }
    }

    /// About how many bytes of memory it holds.
    pub fn bytes(&self) -> usize {
        self.history.bytes()
            + self.tally.bytes
            + self.workers.bytes
            + self.tasks.bytes()
            + self.flows.bytes
            + self.health.bytes
    }

    /// The number of things that it evicted.
    pub fn forgotten(&self) -> Forgotten {
        Forgotten {
            lines: self.history.forgotten,
            tasks: self.tasks.forgotten,
            readings: self.health.forgotten,
            flows: self.flows.forgotten,
            agents: self.workers.forgotten,
        }
    }

    /// The same, with bodies that are harmless in HTML, or as they are.
    #[must_use]
    pub fn sanitizing(self, sanitize: bool) -> Self {
        Self { sanitize, ..self }
    }

    /// A body as it is sent.
    fn out(&self, body: Object) -> Object {
        shown(body, self.sanitize)
    }

    /// Folds one event. Every event must come exactly once and in order.
    pub fn observe(&mut self, event: &Arc<Event>) {
        if event.emission.is_some() {
            return;
        }
        self.observed = true;
        let line = ConversationEvent::of(event);
        self.tally.observe(event, line.as_ref());
        self.workers.observe(event, line.as_ref());
        let change = self.tasks.observe(event);
        self.flows.observe(event, &self.tasks, change.as_ref());
        let changed = self.health.observe(event, &self.tasks, || self.flows.eta());
        // The table has a row for these events: their update goes to all clients at once.
        self.health_changed |= changed && event.name.canonical() != "system.health.changed";
        if line.is_some() {
            self.history.push(event);
        }
    }

    /// The updates whose content changed since they were last taken. They go to every observer (`agents_update`:
    /// to `/conversations`); the caller asks at most once a second.
    pub fn take_changed(&mut self, now: Timestamp) -> Changes {
        let mut out = Changes::new();
        if !std::mem::take(&mut self.observed) {
            return out;
        }
        let candidates = [
            ("conversation_summary", self.summary()),
            ("system_metrics", self.metrics()),
            ("active_flows_update", self.active_flows()),
            ("dashboard_update", self.out(self.flows.dashboard())),
            ("agents_update", self.agents()),
        ];
        for (name, body) in candidates {
            if self.given.get(name) == Some(&body) {
                continue;
            }
            let mut sent = body.clone();
            if name == "dashboard_update" {
                sent.insert("timestamp".into(), json!(now));
            }
            self.given.insert(name, body);
            out.push((name, sent));
        }
        out
    }

    /// The `flow_update` of every flow that changed since the last call, by flow id.
    pub fn flows_changed(&mut self) -> Vec<(Arc<str>, Object)> {
        let changed = self.flows.take_changed();
        changed
            .into_iter()
            .map(|(id, body)| (id, self.out(body)))
            .collect()
    }

    /// The new `health_update`, if the health changed since the last call. An event `system.health.changed` has an
    /// update of its own already; this one is for other reports.
    pub fn health_changed(&mut self) -> Option<Object> {
        std::mem::take(&mut self.health_changed)
            .then(|| self.health_current())
            .flatten()
    }

    /// `conversation_summary`, also sent on connect.
    pub fn summary(&self) -> Object {
        let types: Object = self
            .tally
            .types
            .iter()
            .map(|(kind, count)| (kind.to_string(), Value::from(*count)))
            .collect();
        let mut out = Object::new();
        let mut put = |key: &str, value: Value| out.insert(key.into(), value);
        put("total_events", self.tally.total.into());
        put("event_types", types.into());
        put("active_workers", self.workers.seen().into());
        put("decision_count", self.tally.decisions.into());
        put("blocker_count", self.tasks.blocks.into());
        put("completion_count", self.tasks.completions.into());
        put("tasks_in_progress", self.tasks.in_progress.into());
        put(
            "avg_confidence",
            read::rounded(self.tally.average_confidence()),
        );
        self.out(out)
    }

    /// `system_metrics`.
    pub fn metrics(&self) -> Object {
        let (total, done) = self.flows.tasks_reported();
        let mut out = Object::new();
        let mut put = |key: &str, value: Value| out.insert(key.into(), value);
        put("decisions_today", self.tally.decisions_today().into());
        put(
            "avg_confidence",
            read::rounded(self.tally.average_confidence()),
        );
        put("active_workers", self.workers.active().into());
        put("total_tasks", self.tasks.total.max(total).into());
        put("tasks_in_progress", self.tasks.in_progress.into());
        put("tasks_completed", self.tasks.done.max(done).into());
        out
    }

    /// `active_flows_update`, also sent on `subscribe_pipeline_flow`.
    pub fn active_flows(&self) -> Object {
        self.out(Object::from_iter([("flows".to_owned(), self.flows.list())]))
    }

    /// `agents_update`, also sent on connect to `/conversations`.
    pub fn agents(&self) -> Object {
        self.out(Object::from_iter([(
            "agents".to_owned(),
            self.workers.list(),
        )]))
    }

    /// `dashboard_update`, and the body of `GET /api/pipeline/monitor/dashboard` (which alone reads `success`).
    pub fn dashboard(&self, now: Timestamp) -> Object {
        let mut out = self.out(self.flows.dashboard());
        out.insert("success".into(), true.into());
        out.insert("timestamp".into(), json!(now));
        out
    }

    /// The body of `GET /api/health/current`; `None` (a 404) while nothing is known. A `health_update` has it beside
    /// its own fields.
    pub fn health_current(&self) -> Option<Object> {
        let health = self.health.current(&self.tasks)?;
        Some(self.out(health))
    }

    /// The body of `GET /api/health/history`. It may be long, so the closure is run off the loop.
    pub fn health_history(
        &self,
        hours: u64,
        now: Timestamp,
    ) -> impl FnOnce() -> Object + Send + use<> {
        let span = i64::try_from(hours)
            .unwrap_or(i64::MAX)
            .saturating_mul(MICROS_PER_HOUR);
        let since = Timestamp::from_micros(now.as_micros().saturating_sub(span));
        let (history, sanitize) = (self.health.since(since), self.sanitize);
        move || {
            let history = history();
            let mut out = Object::new();
            out.insert("count".into(), history.len().into());
            out.insert("history".into(), json!(history));
            out.insert("hours".into(), hours.into());
            shown(out, sanitize)
        }
    }

    /// The body of `GET /api/conversations/recent`, newest first; the closure is run off the loop. `minutes` is its
    /// `time_range`.
    pub fn recent_conversations(
        &self,
        limit: usize,
        offset: usize,
        minutes: Option<u64>,
        agent: Option<String>,
        now: Timestamp,
    ) -> impl FnOnce() -> Object + Send + use<> {
        let (lines, sanitize) = (self.history.lines(), self.sanitize);
        move || {
            let recent = lines.recent(limit, offset, minutes, agent.as_deref(), now);
            shown(recent, sanitize)
        }
    }
}

/// A body as the pages get it.
fn shown(body: Object, sanitize: bool) -> Object {
    if sanitize {
        harmless_object(body)
    } else {
        body
    }
}
