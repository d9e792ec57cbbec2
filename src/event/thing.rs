//! The things that events are about. Each has a room of its own, `{kind}:{id}`, and rules on who may see it.

use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use strum::{EnumString, IntoStaticStr};

use super::Event;

/// What kind of thing an id names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[derive(EnumString, IntoStaticStr)]
#[strum(serialize_all = "lowercase")]
pub enum Kind {
    /// A project.
    Project,
    /// An agent.
    Agent,
    /// A task.
    Task,
    /// A workflow's execution.
    Execution,
    /// A workflow.
    Workflow,
    /// An agent's run.
    Run,
    /// An ingest job.
    Job,
    /// A person.
    User,
}

impl Kind {
    /// All kinds.
    pub const ALL: [Self; 8] = [
        Self::Project,
        Self::Agent,
        Self::Task,
        Self::Execution,
        Self::Workflow,
        Self::Run,
        Self::Job,
        Self::User,
    ];

    /// The name, as rooms begin with it.
    pub fn as_str(self) -> &'static str {
        self.into()
    }

    /// Reads a name.
    pub fn from_name(name: &str) -> Option<Self> {
        name.parse().ok()
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl Event {
    /// Each thing that the event names.
    pub fn things<'e>(&'e self, visit: &mut dyn FnMut(Kind, &'e str)) {
        let ids = [
            (Kind::Project, self.project_id.as_deref()),
            (Kind::Agent, self.agent_id()),
            (Kind::Task, self.task_id()),
            (Kind::Execution, self.execution_id()),
            (Kind::Workflow, self.workflow_id()),
            (Kind::Run, self.run_id()),
            (Kind::Job, self.job_id()),
            (Kind::User, self.user_id()),
        ];
        for (kind, id) in ids {
            if let Some(id) = id {
                visit(kind, id);
            }
        }
    }

    /// The name of the project that a `project.*` event is about, if it says one.
    pub fn project_name(&self) -> Option<&str> {
        let state = self.data.get("project_state");
        let inner = state.and_then(|state| state.get("project_name"));
        inner
            .or_else(|| self.data.get("project_name"))
            .and_then(Value::as_str)
    }

    /// Whose the things are that the event names: as it says outright, or the user whom it concerns.
    pub fn owner(&self) -> Option<Owner<'_>> {
        let said = self.owner_id().map(Owner::Said);
        said.or_else(|| self.user_id().map(Owner::Concerned))
    }
}

/// Who owns what an event is about, and how sure that is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Owner<'e> {
    /// Named as the owner.
    Said(&'e str),
    /// Named as the user.
    Concerned(&'e str),
}
