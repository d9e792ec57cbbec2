//! The ids that an event names, wherever its dialect keeps them. Nothing is allocated: all of them borrow.

use serde_json::Value;

use super::{Event, Object};

/// Numbers in the place of ids become text, here and in the objects that ids are looked for in: a thing is the same thing
/// however its producer writes it, and an event whose ids nobody can read would belong to nobody.
pub(super) fn spell_out(object: &mut Object) {
    spell(object, "", 0);
}

fn spell(object: &mut Object, within: &str, depth: usize) {
    for (key, value) in object {
        let names = match key.as_str() {
            "id" => matches!(within, "job" | "run" | "task" | "message" | "node"),
            key => is_id(key),
        };
        match value {
            Value::Number(number) if names => *value = Value::String(number.to_string()),
            Value::Object(inner) if depth < 2 && holds_ids(key) => spell(inner, key, depth + 1),
            _ => {}
        }
    }
}

/// Whether a key stands for the id of a thing.
pub(super) fn is_id(key: &str) -> bool {
    let stem = key.strip_suffix("_id").or_else(|| key.strip_suffix("Id"));
    stem.is_some_and(|stem| {
        matches!(
            stem,
            "project"
                | "agent"
                | "worker"
                | "task"
                | "run"
                | "execution"
                | "workflow"
                | "job"
                | "node"
                | "message"
                | "user"
                | "owner"
        )
    })
}

fn holds_ids(key: &str) -> bool {
    matches!(
        key,
        "data"
            | "job"
            | "run"
            | "step"
            | "nodeState"
            | "node"
            | "task"
            | "task_details"
            | "message"
            | "metadata"
            | "project_state"
    )
}

/// The text at `key`, or at `outer.key`; empty text is no id.
fn at<'e>(data: &'e Object, path: &str) -> Option<&'e str> {
    let found = match path.split_once('.') {
        None => data.get(path),
        Some((outer, key)) => data.get(outer).and_then(|inner| inner.get(key)),
    };
    found.and_then(Value::as_str).filter(|id| !id.is_empty())
}

pub(super) fn first<'e>(data: &'e Object, paths: &[&str]) -> Option<&'e str> {
    paths.iter().find_map(|path| at(data, path))
}

pub(super) fn project_of(data: &Object) -> Option<&str> {
    first(
        data,
        &[
            "project_id",
            "projectId",
            "job.project_id",
            "run.project_id",
            "step.project_id",
            "nodeState.project_id",
            "job.projectId",
            "run.projectId",
            "step.projectId",
            "nodeState.projectId",
            "task.project_id",
            "task.projectId",
            "task_details.project_id",
            "message.project_id",
            "metadata.project_id",
            "project_state.project_id",
        ],
    )
}

pub(super) fn agent_of(data: &Object) -> Option<&str> {
    first(
        data,
        &[
            "agent_id",
            "agentId",
            "worker_id",
            "workerId",
            "run.agent_id",
            "run.agentId",
            "step.agent_id",
        ],
    )
}

impl Event {
    /// The agent: `agent_id`, or `worker_id` in Marcus' logs.
    pub fn agent_id(&self) -> Option<&str> {
        agent_of(&self.data)
    }

    /// The task.
    pub fn task_id(&self) -> Option<&str> {
        first(
            &self.data,
            &["task_id", "taskId", "task.id", "task.task_id"],
        )
    }

    /// The agent run or workflow run.
    pub fn run_id(&self) -> Option<&str> {
        first(
            &self.data,
            &[
                "run_id",
                "runId",
                "run.id",
                "run.run_id",
                "step.run_id",
                "step.runId",
                "nodeState.run_id",
                "nodeState.runId",
                "message.run_id",
            ],
        )
    }

    /// The workflow execution; a workflow's run is one.
    pub fn execution_id(&self) -> Option<&str> {
        first(
            &self.data,
            &[
                "execution_id",
                "executionId",
                "run.execution_id",
                "nodeState.execution_id",
                "nodeState.executionId",
            ],
        )
        .or_else(|| {
            matches!(self.name.family(), "workflow" | "execution")
                .then(|| self.run_id())
                .flatten()
        })
    }

    /// The workflow.
    pub fn workflow_id(&self) -> Option<&str> {
        first(
            &self.data,
            &[
                "workflow_id",
                "workflowId",
                "run.workflow_id",
                "run.workflowId",
                "nodeState.workflow_id",
            ],
        )
    }

    /// The ingest job.
    pub fn job_id(&self) -> Option<&str> {
        first(&self.data, &["job_id", "jobId", "job.id", "job.job_id"])
    }

    /// The workflow node.
    pub fn node_id(&self) -> Option<&str> {
        first(
            &self.data,
            &[
                "node_id",
                "nodeId",
                "nodeState.node_id",
                "nodeState.nodeId",
                "node.id",
            ],
        )
    }

    /// The message that text is appended to.
    pub fn message_id(&self) -> Option<&str> {
        first(
            &self.data,
            &[
                "message_id",
                "messageId",
                "message.id",
                "message.message_id",
            ],
        )
    }

    /// The user whom it concerns.
    pub fn user_id(&self) -> Option<&str> {
        first(
            &self.data,
            &[
                "user_id",
                "userId",
                "run.user_id",
                "run.userId",
                "job.user_id",
            ],
        )
    }
}
