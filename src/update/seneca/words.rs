//! Words for the Marcus bus events that carry no message of their own, so that Seneca's log can be read.

use serde_json::Value;

use super::read;
use crate::event::Event;

/// A sentence for `event`, or `None` if its name is not known here or its deciding key is missing.
pub(crate) fn of(event: &Event) -> Option<String> {
    let data = &event.data;
    let says = |key| read::text(data, key);
    let agent = || read::agent(event).unwrap_or(&event.source);
    let task = || {
        read::task_name(event)
            .or_else(|| read::task(event))
            .unwrap_or("unknown")
    };
    let project = || {
        read::project_name(event)
            .or_else(|| read::project(event))
            .unwrap_or("unknown")
    };
    let shown = |key: &str| data.get(key).map(read::plain);
    Some(match event.name.canonical() {
        "task.assigned" | "task.assignment" => format!("Task {} assigned to {}", task(), agent()),
        "task.unassigned" => format!("Task {} taken back from {}", task(), agent()),
        "task.request" | "task.requested" => format!("{} asks for a task", agent()),
        "task.started" => format!("{} started task {}", agent(), task()),
        "task.progress" | "progress.update" => {
            format!("Task {} is at {}%", task(), shown("progress")?)
        }
        "task.completed" if data.get("success") == Some(&Value::Bool(false)) => {
            format!("{} could not complete task {}", agent(), task())
        }
        "task.completed" => format!("{} completed task {}", agent(), task()),
        "task.blocked" => format!("Task {} is blocked: {}", task(), says("blocker")?),
        "blocker.resolved" => format!("Blocker resolved: {}", says("resolution")?),
        "agent.registered" | "worker.registration" => format!(
            "{} registered as {}",
            read::first_text(data, &["agent_name", "name"]).unwrap_or(agent()),
            says("role").unwrap_or("worker")
        ),
        "agent.status.changed" => format!(
            "{}: {} → {}",
            agent(),
            says("old_status").unwrap_or("unknown"),
            says("new_status")?
        ),
        "agent.skill.updated" => format!("{} has new skills", agent()),
        "agent.learned" => format!("{} got better at {}", agent(), says("skill")?),
        "decision.logged" => {
            let text = read::decision_text(data);
            if text.is_empty() {
                return None;
            }
            let why = says("why").map(|why| format!(" ({why})"));
            text + &why.unwrap_or_default()
        }
        "context.updated" => format!("Context of task {} updated", task()),
        "implementation.found" => format!("Implementation of task {} recorded", task()),
        "prediction.made" => format!("Prediction for task {}", task()),
        "dependency.detected" => format!("{} depends on {}", task(), says("depends_on")?),
        "pattern.detected" => format!("Pattern detected: {}", says("pattern_type")?),
        "project.created" => format!("Project {} created", project()),
        "project.updated" | "project.progress.updated" => format!(
            "Project {} is at {}%",
            project(),
            shown("progress_percent").or_else(|| shown("progress"))?
        ),
        "project.completed" => format!("Project {} completed", project()),
        "project.state.refreshed" => format!("Board refreshed: {} tasks", shown("task_count")?),
        "planning.intent.fidelity" => format!(
            "Plan of {} keeps {} of the intent",
            project(),
            shown("intent_fidelity_score")?
        ),
        "kanban.connected" => format!("Board connected ({})", says("provider")?),
        "server.startup" => format!("Server started ({})", says("provider")?),
        "system.shutdown" => format!("System is shutting down: {}", says("reason")?),
        "system.health.changed" => format!(
            "Health is {}",
            read::first_text(data, &["status", "severity"])?
        ),
        "warning" => says("warning")?.to_owned(),
        name if name.ends_with("error") => says("error")?.to_owned(),
        _ => return None,
    })
}
