//! The things that an event names, and their owner.

use serde_json::Value;

use super::{
    Object,
    canonical::Event,
    ids::{
        Named::{
            Agent, Board, Execution, Job, Message, Node, Owner as NamedOwner, Project, Run,
            Session, Task, User, Workflow,
        },
        is_id, place, visit,
    },
    thing::ThingKind,
};

impl Event {
    /// The agent: `agent_id`, or `worker_id` in Marcus' logs.
    pub fn agent_id(&self) -> Option<&str> {
        self.ids.get(Agent)
    }

    /// The task.
    pub fn task_id(&self) -> Option<&str> {
        self.ids.get(Task)
    }

    /// The agent run or workflow run.
    pub fn run_id(&self) -> Option<&str> {
        self.ids.get(Run)
    }

    /// The workflow execution; a workflow's run is one.
    pub fn execution_id(&self) -> Option<&str> {
        self.ids.get(Execution)
    }

    /// The workflow.
    pub fn workflow_id(&self) -> Option<&str> {
        self.ids.get(Workflow)
    }

    /// The ingest job.
    pub fn job_id(&self) -> Option<&str> {
        self.ids.get(Job)
    }

    /// The session of the run, execution or job: the one that the event names, else the one that was settled.
    pub fn session_id(&self) -> Option<&str> {
        let run = self.run_id().or(self.execution_id()).or(self.job_id());
        run.and_then(|_| self.ids.get(Session).or(self.settled.session.as_deref()))
    }

    /// The workflow node.
    pub fn node_id(&self) -> Option<&str> {
        self.ids.get(Node)
    }

    /// The message that text is appended to.
    pub fn message_id(&self) -> Option<&str> {
        self.ids.get(Message)
    }

    /// The user whom it concerns.
    pub fn user_id(&self) -> Option<&str> {
        self.ids.get(User)
    }

    /// The user who is named as the owner.
    pub fn owner_id(&self) -> Option<&str> {
        self.ids.get(NamedOwner)
    }

    /// The Kanban board of a `project.*` event: it stands for the project when the event has no better name for it.
    pub fn board_id(&self) -> Option<&str> {
        self.ids.get(Board)
    }

    /// Drops all data and metadata that settling does not read: it reads the ids in all of their places, and names of
    /// projects. The text has the whole event by then.
    pub fn keep_what_settles(&mut self) {
        self.metadata = Object::new();
        let settles = |key: &str, value: &Value| {
            value.is_string() && (is_id(key) || matches!(key, "id" | "project_name"))
        };
        let data = std::mem::take(&mut self.data).into_iter();
        self.data = data
            .filter_map(|(key, value)| match value {
                Value::Object(inner) if place(&key).is_some() => {
                    let inner: Object = inner
                        .into_iter()
                        .filter(|(key, value)| settles(key, value))
                        .collect();
                    (!inner.is_empty()).then_some((key, Value::Object(inner)))
                }
                value => settles(&key, &value).then_some((key, value)),
            })
            .collect();
    }

    /// Visits each project that the data names, in any place and spelling, boards of `project.*` events among them.
    pub fn each_project<'e>(&'e self, project: &mut dyn FnMut(&'e str)) {
        let by_board = self.name.family() == "project";
        visit(&self.data, &mut |what, _, _, id| match what {
            Project => project(id),
            Board if by_board => project(id),
            _ => {}
        });
    }

    /// Visits each thing that the event names.
    pub fn things<'e>(&'e self, visit: &mut dyn FnMut(ThingKind, &'e str)) {
        let ids = [
            (ThingKind::Project, self.project_id.as_deref()),
            (ThingKind::Agent, self.agent_id()),
            (ThingKind::Task, self.task_id()),
            (ThingKind::Execution, self.execution_id()),
            (ThingKind::Workflow, self.workflow_id()),
            (ThingKind::Run, self.run_id()),
            (ThingKind::Job, self.job_id()),
            (ThingKind::User, self.user_id()),
            (ThingKind::Session, self.session_id()),
        ];
        for (kind, id) in ids {
            if let Some(id) = id {
                visit(kind, id);
            }
        }
    }

    /// The name of the project that a `project.*` event is about, if it has one.
    pub fn project_name(&self) -> Option<&str> {
        let state = self.data.get("project_state");
        let inner = state.and_then(|state| state.get("project_name"));
        inner
            .or_else(|| self.data.get("project_name"))
            .and_then(Value::as_str)
            .filter(|name| !name.trim().is_empty())
    }

    /// The owner of the things that the event names: the one that it names as owner, or its user.
    pub fn owner(&self) -> Option<Owner<'_>> {
        let said = self.owner_id().map(Owner::Said);
        said.or_else(|| self.user_id().map(Owner::Concerned))
    }

    /// The project in which the event's thing of this kind is at home: together with kind and id it names the thing. `None`
    /// for a thing without a project, and for an agent that all projects share.
    pub fn home(&self, kind: ThingKind) -> Option<&str> {
        let project = self.project_id.as_deref();
        project.filter(|_| !self.settled.shared.contains(kind))
    }
}

/// The owner that an event names, and how sure that is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Owner<'e> {
    /// Named as the owner.
    Said(&'e str),
    /// Named as the user.
    Concerned(&'e str),
}
