//! The current state (contract §5), folded from the events in the journal's order.
//!
//! Each entity is a JSON object that later facts are laid over: what a producer says of an agent is not lost because
//! Stoa doesn't know the word. The same events in the same order always give the same state.

pub mod checkpoint;
mod entities;
mod fold;
#[cfg(test)]
mod tests;

use std::collections::HashSet;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::event::{Event, Object, Timestamp};
pub use entities::Entities;

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
    health: Object,
    /// Events folded in.
    events: u64,
    /// Decisions among them.
    decisions: u64,
}

impl State {
    /// Nothing is known; at most `max` entities of a kind will be.
    pub fn new(max: usize) -> Self {
        Self {
            projects: Entities::new(max),
            agents: Entities::new(max),
            tasks: Entities::new(max),
            runs: Entities::new(max),
            health: Object::new(),
            events: 0,
            decisions: 0,
        }
    }

    /// Folds one event in.
    pub fn apply(&mut self, event: &Event) {
        self.events += 1;
        fold::apply(self, event);
    }

    /// The state as JSON, at `cursor`; of one project when that is asked for.
    pub fn snapshot(&self, cursor: &str, now: Timestamp, project: Option<&str>) -> String {
        let of = |value: &Object| {
            project.is_none_or(|project| {
                value.get("project_id").and_then(Value::as_str) == Some(project)
            })
        };
        let tasks = self.tasks.to_json(|_, task| of(task));
        let working: HashSet<&str> = self
            .tasks
            .iter()
            .filter(|(_, task)| of(task))
            .filter_map(|(_, task)| task.get("agent_id").and_then(Value::as_str))
            .collect();
        let agents = self
            .agents
            .to_json(|id, agent| of(agent) || working.contains(id));
        let projects = self
            .projects
            .to_json(|id, _| project.is_none_or(|project| project == id));
        let runs = self.runs.to_json(|_, run| of(run));
        let by_status = |status: &str| {
            tasks
                .values()
                .filter(|task| task.get("status").and_then(Value::as_str) == Some(status))
                .count()
        };
        let evicted: u64 = [&self.projects, &self.agents, &self.tasks, &self.runs]
            .map(Entities::evicted)
            .iter()
            .sum();
        let counts = json!({
            "events": self.events,
            "decisions": self.decisions,
            "projects": projects.len(),
            "agents": agents.len(),
            "tasks": tasks.len(),
            "tasks_todo": by_status("todo"),
            "tasks_in_progress": by_status("in_progress"),
            "tasks_blocked": by_status("blocked"),
            "tasks_done": by_status("done"),
            "runs": runs.len(),
            "evicted": evicted,
        });
        json!({
            "type": "snapshot",
            "cursor": cursor,
            "server_time": now,
            "timestamp": now,
            "projects": projects,
            "agents": agents,
            "tasks": tasks,
            "runs": runs,
            "health": self.health,
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
