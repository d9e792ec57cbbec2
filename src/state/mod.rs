//! The current state (contract §5), folded from the events in the journal's order.
//!
//! Each entity is a JSON object that later facts are laid over: what a producer says of an agent is not lost because
//! Stoa doesn't know the word. The same events in the same order always give the same state.

pub mod checkpoint;
mod entities;
mod facts;
mod fold;
#[cfg(test)]
mod tests;

use std::{collections::HashSet, sync::Arc};

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::{
    access::{Belongings, Sight},
    event::{Event, Kind, Object, Timestamp},
};
pub use entities::Entities;
use facts::Known;

/// What is known now.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct State {
    /// By project id (or the board's, where Marcus names only that).
    projects: Entities,
    /// By agent id.
    agents: Entities,
    /// By task id.
    tasks: Entities,
    /// Agent runs, workflow executions and ingest jobs, by their ids; `kind` tells which.
    runs: Entities,
    /// The latest of the system's health.
    health: Known,
    /// Whose things are. Shared with the doors, which decide by it.
    belongings: Arc<Belongings>,
    /// Events folded in.
    events: u64,
    /// Decisions among them.
    decisions: u64,
}

impl State {
    /// Nothing is known; at most `max` entities of a kind will be, and the owners of `max_known` things of a kind.
    pub fn new(max: usize, max_known: usize) -> Self {
        Self {
            projects: Entities::new(max),
            agents: Entities::new(max),
            tasks: Entities::new(max),
            runs: Entities::new(max),
            health: Known::default(),
            belongings: Arc::new(Belongings::new(max_known)),
            events: 0,
            decisions: 0,
        }
    }

    /// Folds one event in.
    pub fn apply(&mut self, event: &Event) {
        self.events += 1;
        self.belongings.learn(event);
        fold::apply(self, event);
    }

    /// Whose things are.
    pub fn belongings(&self) -> &Arc<Belongings> {
        &self.belongings
    }

    /// The state as JSON, at `cursor`, as far as `sight` sees it; of one project when that is asked for.
    pub fn snapshot(
        &self,
        cursor: &str,
        now: Timestamp,
        project: Option<&str>,
        sight: &Sight,
    ) -> String {
        let of = |value: &Object| {
            project.is_none_or(|project| {
                value.get("project_id").and_then(Value::as_str) == Some(project)
            })
        };
        let tasks = self
            .tasks
            .to_json(sight, Some(Kind::Task), |_, task| of(task));
        let working: HashSet<&str> = tasks
            .values()
            .filter_map(|task| task.get("agent_id").and_then(Value::as_str))
            .collect();
        let mut agents = self.agents.to_json(sight, Some(Kind::Agent), |id, agent| {
            of(agent) || working.contains(id)
        });
        // Both are there for whoever reads them, also of an agent that nothing said either of.
        for agent in agents.values_mut().filter_map(Value::as_object_mut) {
            for key in ["status", "task_id"] {
                agent.entry(key).or_insert(Value::Null);
            }
        }
        let projects = self.projects.to_json(sight, Some(Kind::Project), |id, _| {
            project.is_none_or(|project| project == id)
        });
        let runs = self.runs.to_json(sight, None, |_, run| of(run));
        let by_status = |status: &str| {
            tasks
                .values()
                .filter(|task| task.get("status").and_then(Value::as_str) == Some(status))
                .count()
        };
        let mut counts = json!({
            "projects": projects.len(),
            "agents": agents.len(),
            "tasks": tasks.len(),
            "tasks_todo": by_status("todo"),
            "tasks_in_progress": by_status("in_progress"),
            "tasks_blocked": by_status("blocked"),
            "tasks_done": by_status("done"),
            "runs": runs.len(),
        });
        // How much there is that one may not see is not to be seen either.
        if sight.is_everything() {
            let entities = [&self.projects, &self.agents, &self.tasks, &self.runs];
            let evicted: u64 = entities.map(Entities::evicted).iter().sum();
            counts["events"] = self.events.into();
            counts["decisions"] = self.decisions.into();
            counts["evicted"] = evicted.into();
        }
        json!({
            "type": "snapshot",
            "cursor": cursor,
            "server_time": now,
            "timestamp": now,
            "projects": projects,
            "agents": agents,
            "tasks": tasks,
            "runs": runs,
            "health": self.health.seen(sight, None).unwrap_or_default(),
            "counts": counts,
        })
        .to_string()
    }

    /// The whole state as text, to go on from later.
    pub fn to_checkpoint(&self) -> String {
        // A state is maps with text keys and JSON values: writing it can't fail.
        serde_json::to_string(self).unwrap_or_default()
    }

    /// Reads what [`State::to_checkpoint`] wrote; `None` if it was written by something else.
    pub fn from_checkpoint(text: &str) -> Option<Self> {
        serde_json::from_str(text).ok()
    }
}
