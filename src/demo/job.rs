//! The task that an agent is at, and the fields that its events share.

use serde_json::{Value, json};

/// The task of an agent.
#[derive(Debug)]
pub(super) struct Job {
    /// The task's index in the project.
    pub(super) place: usize,
    /// The task's id.
    pub(super) task_id: String,
    /// The task's name.
    pub(super) task_name: &'static str,
    /// The project's id.
    pub(super) project_id: String,
    /// The run that it belongs to.
    pub(super) run_id: String,
    /// The time at which it was taken, in milliseconds of the story.
    pub(super) since: u64,
}

/// The fields of every event about a task, and further ones.
pub(super) fn about(agent_id: &str, job: &Job, more: Value) -> Value {
    let mut data = json!({
        "agent_id": agent_id,
        "task_id": job.task_id,
        "task_name": job.task_name,
        "project_id": job.project_id,
    });
    if let (Value::Object(data), Value::Object(more)) = (&mut data, more) {
        data.extend(more);
    }
    data
}
