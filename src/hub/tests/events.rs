//! The public table of updates, as `docs/protocol.md` has it, for the events that a script may publish.

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};

/// One kind of event.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum What {
    Progress,
    ProgressUpdate,
    TaskUpdated,
    TaskCompleted,
    TaskAssigned,
    AgentStatus,
    AgentRole,
    Message,
    RunProgress,
    RunFinished,
    Decision,
    Health,
    Node,
    NodeMoved,
    Visual,
    Refresh,
    Job,
    Project,
    Custom,
}

use What::{
    AgentRole, AgentStatus, Custom, Decision, Health, Job, Message, Node, NodeMoved, Progress,
    ProgressUpdate, Project, Refresh, RunFinished, RunProgress, TaskAssigned, TaskCompleted,
    TaskUpdated, Visual,
};

/// All of them; the coalesced ones stand first.
pub(super) const WHATS: [What; 19] = [
    Progress,
    ProgressUpdate,
    TaskUpdated,
    AgentStatus,
    AgentRole,
    Message,
    RunProgress,
    Node,
    NodeMoved,
    Visual,
    Refresh,
    Job,
    Project,
    TaskCompleted,
    TaskAssigned,
    RunFinished,
    Decision,
    Health,
    Custom,
];

/// Most urgent first.
pub(super) const PRIORITIES: [&str; 4] = ["critical", "high", "normal", "low"];

/// The one user who owns anything.
pub(super) const OWNER: &str = "u1";

/// An update is named by its event's number, counted from 1 in the journal's order, and by its own name.
pub(super) type Update = (u64, &'static str);

/// The parts of an event that a script chooses.
#[derive(Debug, Clone)]
pub(super) struct Said {
    pub(super) what: What,
    /// 0 for none, else `p1` or `p2`.
    pub(super) project: u8,
    /// The one of two things of its kind that the event is about.
    pub(super) who: u8,
    /// Whether it names an agent beside its task.
    pub(super) both: bool,
    /// The one of three facts that the event says anew.
    pub(super) fact: u8,
    /// Whether it has a fact that no other event says.
    pub(super) marked: bool,
    /// The producer's own priority, by its number in [`PRIORITIES`].
    pub(super) priority: Option<u8>,
    /// Whether it is long.
    pub(super) long: bool,
    /// Whether its own text names the owner of its run or job.
    pub(super) names_owner: bool,
}

/// An event with its number.
#[derive(Debug, Clone)]
pub(super) struct Event {
    pub(super) n: u64,
    pub(super) said: Said,
    /// Whether its run or job had an owner when it was published, by its own text or by an earlier one.
    pub(super) owned: bool,
}

impl Event {
    pub(super) fn name(&self) -> &'static str {
        match self.said.what {
            Progress => "task.progress",
            ProgressUpdate => "progress.update",
            TaskUpdated => "task.updated",
            TaskCompleted => "task.completed",
            TaskAssigned => "task.assigned",
            AgentStatus => "agent.status.changed",
            AgentRole => "agent.role.changed",
            Message => "agent.message.appended",
            RunProgress => "agent.run.progress",
            RunFinished => "agent.run.finished",
            Decision => "decision.logged",
            Health => "system.health.changed",
            Node => "workflow.node.state.changed",
            NodeMoved => "workflow.node.state.moved",
            Visual => "visual.node.update",
            Refresh => "visual.complete.refresh",
            Job => "ingest.job.progress",
            Project => "project.updated",
            Custom => "custom.thing",
        }
    }

    /// The updates that it gives.
    pub(super) fn gives(&self) -> &'static [&'static str] {
        match self.said.what {
            Progress | ProgressUpdate => &["progress_update"],
            TaskUpdated | TaskCompleted => &["task_update"],
            TaskAssigned => &["task_assignment"],
            AgentStatus => &["agent_status_change", "agent_update"],
            AgentRole => &["agent_update"],
            Message => &["message_appended"],
            RunProgress | RunFinished => &["agent_run_update"],
            Decision => &["decision_event"],
            Health => &["health_update"],
            Node | NodeMoved => &["node_update"],
            Visual | Refresh => &["visual_update"],
            Job => &["ingest_update"],
            Project => &["project_update"],
            Custom => &["generic_update"],
        }
    }

    /// As a number in [`PRIORITIES`].
    pub(super) fn priority(&self) -> u8 {
        let of_table = match self.said.what {
            Health => u8::from(self.said.fact != 0),
            TaskCompleted | TaskAssigned | RunFinished => 1,
            Message => 3,
            _ => 2,
        };
        self.said.priority.unwrap_or(of_table)
    }

    /// The key by which its updates are coalesced; none for updates that go at once.
    pub(super) fn key(&self) -> Option<(&'static str, BTreeSet<(&'static str, String)>)> {
        let by = match self.said.what {
            Message => "text",
            Progress | ProgressUpdate => "progress",
            Node | NodeMoved => "node",
            TaskUpdated | AgentStatus | AgentRole | RunProgress | Visual | Refresh | Job => {
                self.name()
            }
            Project if self.said.project > 0 => self.name(),
            _ => return None,
        };
        let mut things: BTreeSet<_> = self.things().into_iter().collect();
        // All refreshes of a project share a key, and all that is said of the project itself.
        let id = if matches!(self.said.what, Refresh | Project) {
            "-".to_owned()
        } else {
            self.id()
        };
        things.insert(("key", id));
        if let Some(owner) = self.owner() {
            things.insert(("owner", owner.to_owned()));
        }
        (self.priority() != 0).then_some((by, things))
    }

    /// Whether only the newest counts.
    pub(super) fn replaces(&self) -> bool {
        self.said.what == Refresh
    }

    pub(super) fn project(&self) -> Option<&'static str> {
        [None, Some("p1"), Some("p2")][usize::from(self.said.project)]
    }

    /// Things of both projects have the same ids.
    fn id(&self) -> String {
        let of = if self.said.project == 0 { "n" } else { "x" };
        format!("{of}{}", self.said.who)
    }

    fn owner(&self) -> Option<&'static str> {
        self.owned.then_some(OWNER)
    }

    /// The owner that its own text names.
    fn named_owner(&self) -> Option<&'static str> {
        let owned = self.said.project == 0 || self.said.who == 0;
        (owned && self.said.names_owner && self.can_be_owned().is_some()).then_some(OWNER)
    }

    /// The run or the job that it is about.
    fn can_be_owned(&self) -> Option<String> {
        let kind = match self.said.what {
            RunProgress | RunFinished => "run",
            Job => "job",
            _ => return None,
        };
        Some(format!("{kind} {}/{}", self.said.project, self.id()))
    }

    /// Settles its owner: the first event that names one names it for all later events of that run or job.
    pub(super) fn settle(&mut self, owned: &mut BTreeSet<String>) {
        let Some(thing) = self.can_be_owned() else {
            return;
        };
        if self.named_owner().is_some() {
            owned.insert(thing.clone());
        }
        self.owned = owned.contains(&thing);
    }

    pub(super) fn agent(&self) -> Option<String> {
        let names = match self.said.what {
            AgentStatus | AgentRole | Message | TaskAssigned => true,
            Progress | ProgressUpdate | TaskUpdated | Decision => self.said.both,
            _ => false,
        };
        names.then(|| self.id())
    }

    pub(super) fn task(&self) -> Option<String> {
        let about = matches!(
            self.said.what,
            Progress | ProgressUpdate | TaskUpdated | TaskCompleted | TaskAssigned | Custom
        );
        about.then(|| self.id())
    }

    pub(super) fn run(&self) -> Option<String> {
        matches!(self.said.what, RunProgress | RunFinished).then(|| self.id())
    }

    pub(super) fn job(&self) -> Option<String> {
        (self.said.what == Job).then(|| self.id())
    }

    /// The things that have rooms.
    fn things(&self) -> Vec<(&'static str, String)> {
        let ids = [
            ("project", self.project().map(str::to_owned)),
            ("agent", self.agent()),
            ("task", self.task()),
            ("run", self.run()),
            ("job", self.job()),
            ("user", self.named_owner().map(str::to_owned)),
        ];
        let named = ids.into_iter();
        named.filter_map(|(kind, id)| Some((kind, id?))).collect()
    }

    pub(super) fn rooms(&self) -> BTreeSet<String> {
        let mut rooms = BTreeSet::from(["observers".to_owned()]);
        for (kind, id) in self.things() {
            if let Some(project) = self.project()
                && !matches!(kind, "project" | "user")
            {
                rooms.insert(format!("{kind}:{project}/{id}"));
            }
            rooms.insert(format!("{kind}:{id}"));
        }
        rooms
    }

    /// The things whose order its update must keep.
    pub(super) fn entities(&self) -> Vec<String> {
        let project = self.project().unwrap_or("none");
        let mut entities: Vec<String> = self
            .things()
            .into_iter()
            .filter(|(kind, _)| match *kind {
                "project" => self.said.what == Project,
                kind => kind != "user",
            })
            .map(|(kind, id)| format!("{project}/{kind}/{id}"))
            .collect();
        match self.said.what {
            Message => entities.push(format!("{project}/message/{}", self.id())),
            Node | NodeMoved => entities.push(format!("{project}/node/{}", self.id())),
            Health => entities.push("health".into()),
            _ => {}
        }
        entities
    }

    /// Whether somebody with these claims may see it.
    pub(super) fn is_for(&self, claims: Claims) -> bool {
        match claims {
            Claims::All => true,
            Claims::Of { projects, user } => {
                let owns = self.owner().is_some() && self.owner() == user;
                match self.project() {
                    Some(project) => projects.contains(&project) || owns,
                    None => self.can_be_owned().is_none() || owns,
                }
            }
        }
    }

    /// Whether its facts are laid over each other where it is coalesced.
    pub(super) fn has_facts(&self) -> bool {
        !matches!(self.said.what, Message | Visual | Refresh)
    }

    /// The event as it is published.
    pub(super) fn json(&self) -> Value {
        let id = self.id();
        let mut data = Map::new();
        let mut put = |key: &str, value: Value| data.insert(key.to_owned(), value);
        if let Some(task) = self.task() {
            put("task_id", task.into());
        }
        if let Some(agent) = self.agent() {
            put("agent_id", agent.into());
        }
        if let Some(owner) = self.named_owner() {
            put("user_id", owner.into());
        }
        match self.said.what {
            Message => {
                put("message_id", id.into());
                put("content", format!("<{}>", self.n).into());
            }
            RunProgress | RunFinished => {
                put("run_id", id.into());
            }
            Job => {
                put("job_id", id.into());
            }
            Node | NodeMoved => {
                put("node_id", id.into());
                put("status", "running".into());
            }
            Visual => {
                put("target_id", id.into());
                put("changes", json!({ format!("c{}", self.n): self.n }));
            }
            Decision => {
                put("what", "ship it".into());
            }
            Health if self.said.fact == 0 => {
                put("severity", "critical".into());
            }
            _ => {}
        }
        if self.has_facts() {
            put(&format!("f{}", self.said.fact), self.n.into());
        }
        if self.said.marked {
            put(&format!("m{}", self.n), self.n.into());
        }
        if self.said.long {
            put("long", "x".repeat(400).into());
        }
        let mut event = json!({ "type": self.name(), "id": format!("e{}", self.n), "data": data });
        if let Some(project) = self.project() {
            event["project_id"] = project.into();
        }
        if let Some(priority) = self.said.priority {
            event["priority"] = PRIORITIES[usize::from(priority)].into();
        }
        event
    }
}

/// The claims of a token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Claims {
    All,
    Of {
        projects: &'static [&'static str],
        user: Option<&'static str>,
    },
}
