//! The stage of the pipeline at which an event happens.

use crate::{event::Event, update::seneca::read};

/// The stages in their order.
pub(super) const STAGES: [&str; 8] = [
    "mcp_request",
    "ai_analysis",
    "prd_parsing",
    "task_generation",
    "task_creation",
    "task_assignment",
    "work_progress",
    "task_completion",
];

/// The first stage of the work itself: earlier ones are planning, and a thought in between does not bring a flow back
/// to it.
pub(super) const FIRST_OF_WORK: usize = 5;

/// The stage's place in [`STAGES`]: as the event says, else by its subject; `None` if it has to do with no stage.
pub(super) fn of(event: &Event) -> Option<usize> {
    if let Some(said) = read::text(&event.data, "stage") {
        let found = STAGES.iter().position(|stage| *stage == said);
        if found.is_some() {
            return found;
        }
    }
    let name = event.name.canonical();
    let stage = match name {
        "create.project.returned" | "dependency.detected" | "tasks.generated" => "task_generation",
        "ai.prd.analysis" | "pm.thinking" | "prediction.made" | "pattern.detected" => "ai_analysis",
        "project.created" | "task.created" | "task.creation.failed" => "task_creation",
        "task.request" | "task.requested" | "task.assigned" | "task.assignment"
        | "task.unassigned" => "task_assignment",
        "task.completed" | "project.completed" | "pipeline.completed" => "task_completion",
        "progress.update" | "implementation.found" => "work_progress",
        _ if name.starts_with("mcp.tool.call") || name.starts_with("create.project") => {
            "mcp_request"
        }
        _ if name.ends_with(".run.completed") || name == "execution.completed" => "task_completion",
        _ => match event.name.family() {
            "planning" => "prd_parsing",
            "task" | "blocker" | "workflow" | "execution" => "work_progress",
            "agent" if read::run(event).is_some() => "work_progress",
            _ => return None,
        },
    };
    STAGES.iter().position(|known| *known == stage)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::event::Dialect;
    use crate::update::seneca::testing::event;

    #[test]
    fn stages_by_name_unless_the_event_says() {
        let stage = |name, data| of(&event(Dialect::Canonical, name, data)).map(|at| STAGES[at]);
        assert_eq!(stage("task_assigned", json!({})), Some("task_assignment"));
        assert_eq!(stage("task_blocked", json!({})), Some("work_progress"));
        assert_eq!(
            stage("workflow.node.started", json!({})),
            Some("work_progress")
        );
        assert_eq!(stage("mcp_tool_call_start", json!({})), Some("mcp_request"));
        assert_eq!(
            stage("progress_update", json!({"stage": "prd_parsing"})),
            Some("prd_parsing")
        );
        assert_eq!(stage("ping_request", json!({"stage": "warm_up"})), None);
    }
}
