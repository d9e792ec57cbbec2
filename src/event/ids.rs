//! The ids that an event names, found once, from one table of spellings.
//!
//! The table is [`PLACES`] and the spellings below: the keys that stand for an id, and the objects inside `data` that
//! have such keys. Numbers become text (`spell_out`), the checks of `[content_filtering]` ask the same table, and
//! [`Ids::find`] reads `data` once, in one walk over its keys. Nobody searches `data` for an id after that.

use serde_json::Value;
use strum::IntoStaticStr;

use super::{Object, numeral};

/// The kind of thing that an id stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, IntoStaticStr)]
#[strum(serialize_all = "snake_case", suffix = "_id")]
pub(super) enum Named {
    Agent,
    Task,
    Run,
    Execution,
    Workflow,
    Job,
    Node,
    Message,
    User,
    Owner,
    Project,
    /// A Kanban board, by which Marcus names a project in `project.*` events.
    Board,
    /// The session that a run is of.
    Session,
}

use Named::{
    Agent, Board, Execution, Job, Message, Node, Owner, Project, Run, Session, Task, User, Workflow,
};

/// The number of things that an event can name.
const COUNT: usize = 13;

/// Makes the look-up by key from the list of spellings; a test compares the protocol's page with the same list.
macro_rules! spellings {
    ($($key:literal => ($what:ident, $rank:literal),)*) => {
        /// The thing that a key names, and the rank among several spellings in one object (the lowest counts).
        fn named(key: &str) -> Option<(Named, u8)> {
            // Most keys are none of an id: their end tells it without a search.
            if !matches!(key.as_bytes(), [.., b'i' | b'I', b'd']) {
                return None;
            }
            Some(match key {
                $($key => ($what, $rank),)*
                _ => return None,
            })
        }

        #[cfg(test)]
        const SPELLINGS: &[(&str, Named)] = &[$(($key, $what)),*];
    };
}

spellings! {
    "project_id" => (Project, 1),
    "projectId" => (Project, 2),
    "agent_id" => (Agent, 1),
    "agentId" => (Agent, 2),
    "worker_id" => (Agent, 3),
    "workerId" => (Agent, 4),
    "task_id" => (Task, 1),
    "taskId" => (Task, 2),
    "run_id" => (Run, 1),
    "runId" => (Run, 2),
    "execution_id" => (Execution, 1),
    "executionId" => (Execution, 2),
    "workflow_id" => (Workflow, 1),
    "workflowId" => (Workflow, 2),
    "job_id" => (Job, 1),
    "jobId" => (Job, 2),
    "node_id" => (Node, 1),
    "nodeId" => (Node, 2),
    "message_id" => (Message, 1),
    "messageId" => (Message, 2),
    "user_id" => (User, 1),
    "userId" => (User, 2),
    "owner_id" => (Owner, 1),
    "ownerId" => (Owner, 2),
    "board_id" => (Board, 1),
    "boardId" => (Board, 2),
    "session_id" => (Session, 1),
    "sessionId" => (Session, 2),
}

/// An object inside `data` that has ids.
pub(super) struct Place {
    /// A place with a lower rank counts first.
    rank: u8,
    /// The key in `data`.
    key: &'static str,
    /// The thing that its own `id` names.
    own: Option<Named>,
    /// The other ids that it may have.
    holds: &'static [Named],
    /// Whether it is the subject of the event, so that its fields mean what the contract says.
    subject: bool,
}

/// The places, in the order in which they count.
const PLACES: [Place; 12] = [
    Place::about(1, "job", Some(Job), &[Project, Job, User, Owner, Session]),
    Place::about(
        2,
        "run",
        Some(Run),
        &[
            Project, Agent, Run, Execution, Workflow, User, Owner, Session,
        ],
    ),
    Place::about(
        3,
        "execution",
        Some(Execution),
        &[Project, Execution, Workflow, User, Owner, Session],
    ),
    Place::about(4, "step", None, &[Project, Agent, Run, Execution]),
    Place::about(
        5,
        "nodeState",
        None,
        &[Project, Run, Execution, Workflow, Node, User, Owner],
    ),
    Place::about(6, "node", Some(Node), &[]),
    Place::about(7, "task", Some(Task), &[Project, Task]),
    Place::about(8, "message", Some(Message), &[Project, Run, Message]),
    Place::beside(9, "task_details", &[Project]),
    Place::beside(10, "metadata", &[Project]),
    Place::beside(11, "data", &[Project]),
    Place::beside(12, "project_state", &[Project, Board]),
];

impl Place {
    /// A place that is the event's subject.
    const fn about(
        rank: u8,
        key: &'static str,
        own: Option<Named>,
        holds: &'static [Named],
    ) -> Self {
        Self {
            rank,
            key,
            own,
            holds,
            subject: true,
        }
    }

    /// A place with further facts of the subject.
    const fn beside(rank: u8, key: &'static str, holds: &'static [Named]) -> Self {
        Self {
            rank,
            key,
            own: None,
            holds,
            subject: false,
        }
    }
}

/// The place of this key.
pub(super) fn place(key: &str) -> Option<&'static Place> {
    PLACES.iter().find(|place| place.key == key)
}

/// Whether a key stands for the id of a thing.
pub(super) fn is_id(key: &str) -> bool {
    named(key).is_some()
}

/// Whether a key holds the object that an event is about.
pub(super) fn is_subject(key: &str) -> bool {
    place(key).is_some_and(|place| place.subject)
}

/// Turns numbers in the place of ids into text, one for each number, here and in the objects that may have ids: a thing
/// is the same in every spelling, and an event with unreadable ids would belong to nobody.
pub(super) fn spell_out(object: &mut Object) {
    spell(object, false, 0);
}

fn spell(object: &mut Object, has_own: bool, depth: usize) {
    for (key, value) in object {
        match value {
            Value::Number(number) if is_id(key) || (has_own && key == "id") => {
                *value = Value::String(numeral::id_of(number));
            }
            Value::Object(inner) if depth < 2 => {
                if let Some(place) = place(key) {
                    spell(inner, place.own.is_some(), depth + 1);
                }
            }
            _ => {}
        }
    }
}

/// The ids that an event names, in one piece of memory.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Ids {
    /// All ids, one after the other.
    text: Box<str>,
    /// The end of each id; an id that ends where it begins is not named.
    ends: [u32; COUNT],
}

impl Ids {
    /// Finds the ids in an event's data. A run of a workflow is an execution: `family` is the first segment of the
    /// event's name.
    pub fn find(data: &Object, family: &str) -> Self {
        let mut found = [None::<(u8, u8, &str)>; COUNT];
        visit(data, &mut |what, place, rank, id| {
            let slot = &mut found[what as usize];
            if slot.is_none_or(|(p, r, _)| (place, rank) < (p, r)) {
                *slot = Some((place, rank, id));
            }
        });
        if matches!(family, "workflow" | "execution") && found[Execution as usize].is_none() {
            found[Execution as usize] = found[Run as usize];
        }
        if family != "project" {
            found[Board as usize] = None;
        }
        let len = found.iter().flatten().map(|(_, _, id)| id.len()).sum();
        let mut text = String::with_capacity(len);
        let mut ends = [0; COUNT];
        for (slot, end) in found.iter().zip(&mut ends) {
            if let Some((_, _, id)) = slot {
                text.push_str(id);
            }
            // An event is far smaller than 4 GiB.
            *end = u32::try_from(text.len()).unwrap_or(u32::MAX);
        }
        Self {
            text: text.into(),
            ends,
        }
    }

    /// The id of a thing.
    pub(super) fn get(&self, what: Named) -> Option<&str> {
        let at = what as usize;
        let begin = at.checked_sub(1).map_or(0, |before| self.ends[before]);
        let id = self.text.get(begin as usize..self.ends[at] as usize)?;
        (!id.is_empty()).then_some(id)
    }

    /// The project that the data names.
    pub fn project(&self) -> Option<&str> {
        self.get(Project)
    }

    /// About how many bytes of memory it holds beside itself.
    pub fn held(&self) -> usize {
        self.text.len()
    }
}

/// Visits each id in `data`: the thing that it names, the rank of its place and of its spelling, and the id. Empty text
/// is no id.
pub(super) fn visit<'d>(data: &'d Object, found: &mut dyn FnMut(Named, u8, u8, &'d str)) {
    for (key, value) in data {
        match value {
            Value::String(id) if !id.is_empty() => {
                if let Some((what, rank)) = named(key) {
                    found(what, 0, rank, id);
                }
            }
            Value::Object(inner) => {
                let Some(place) = place(key) else { continue };
                for (key, value) in inner {
                    let Some(id) = value.as_str().filter(|id| !id.is_empty()) else {
                        continue;
                    };
                    match named(key) {
                        Some((what, rank)) if place.holds.contains(&what) => {
                            found(what, place.rank, rank, id);
                        }
                        None if key == "id" => {
                            if let Some(own) = place.own {
                                found(own, place.rank, 0, id);
                            }
                        }
                        _ => {}
                    }
                }
            }
            _ => {}
        }
    }
}

/// Visits each id in `data`, in any place and spelling, with the usual key of such ids.
pub(super) fn each<'d>(data: &'d Object, id: &mut dyn FnMut(&'static str, &'d str)) {
    visit(data, &mut |what, _, _, text| id(what.into(), text));
}

/// Whether `data` names an agent.
pub(super) fn names_agent(data: &Object) -> bool {
    let mut names = false;
    visit(data, &mut |what, _, _, _| names |= what == Agent);
    names
}

#[cfg(test)]
mod tests;
