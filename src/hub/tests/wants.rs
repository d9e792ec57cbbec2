//! The wants of a script's client: its rooms and its filter, each with the meaning that the protocol's page gives it.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::events::{Claims, Event, OWNER, PRIORITIES};

/// Rooms to be in.
pub(super) const ROOMS: [&str; 8] = [
    "observers",
    "project:p1",
    "task:x0",
    "task:p2/x0",
    "agent:x1",
    "run:p1/x0",
    "user:u1",
    "task:n0",
];

/// The identities that a client may have.
pub(super) const CLAIMS: [Claims; 4] = [
    Claims::All,
    Claims::Of {
        projects: &["p1"],
        user: None,
    },
    Claims::Of {
        projects: &["p2"],
        user: Some(OWNER),
    },
    Claims::Of {
        projects: &[],
        user: Some(OWNER),
    },
];

/// The filter on its rooms that a client wants.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Wanted {
    Everything,
    Tasks,
    OneType,
    NoProgress,
    OfProject,
    OfAgent,
    OfRun,
    Urgent,
    NotLow,
}

pub(super) const WANTED: [Wanted; 9] = [
    Wanted::Everything,
    Wanted::Tasks,
    Wanted::OneType,
    Wanted::NoProgress,
    Wanted::OfProject,
    Wanted::OfAgent,
    Wanted::OfRun,
    Wanted::Urgent,
    Wanted::NotLow,
];

impl Wanted {
    /// The filter as it is asked for.
    pub(super) fn json(self) -> Value {
        match self {
            Self::Everything => json!({}),
            Self::Tasks => json!({ "types": ["task_*"] }),
            Self::OneType => json!({ "types": "task.progress" }),
            Self::NoProgress => json!({ "exclude": ["progress?update", "agent.role.*"] }),
            Self::OfProject => json!({ "projects": ["p1"] }),
            Self::OfAgent => json!({ "agents": ["x0", "n1"] }),
            Self::OfRun => json!({ "runs": ["x0"] }),
            Self::Urgent => json!({ "min_priority": PRIORITIES[1] }),
            Self::NotLow => json!({ "min_priority": PRIORITIES[2] }),
        }
    }

    fn admits(self, event: &Event, update: &str, priority: u8) -> bool {
        let among = |ids: &[&str], id: Option<String>| id.is_some_and(|id| ids.contains(&&*id));
        match self {
            Self::Everything => true,
            Self::Tasks => event.name().starts_with("task.") || update.starts_with("task_"),
            Self::OneType => event.name() == "task.progress",
            Self::NoProgress => update != "progress_update" && event.name() != "agent.role.changed",
            Self::OfProject => event.project() == Some("p1"),
            Self::OfAgent => among(&["x0", "n1"], event.agent()),
            Self::OfRun => among(&["x0"], event.run().or(event.job())),
            Self::Urgent => priority <= 1,
            Self::NotLow => priority <= 2,
        }
    }
}

/// Rooms and filter at one time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Look {
    pub(super) rooms: BTreeSet<&'static str>,
    pub(super) wanted: Wanted,
}

impl Look {
    /// Whether it takes an update of the event that is sent with this priority.
    pub(super) fn admits(&self, event: &Event, update: &str, priority: u8) -> bool {
        let rooms = event.rooms();
        self.rooms.iter().any(|room| rooms.contains(*room))
            && self.wanted.admits(event, update, priority)
    }
}
