//! Events about projects and people: each says in every field whom it is for, and so who may see it.

use serde_json::{Value, json};
use stoa::delivery::Cursor;

/// The spy's own project.
pub const OURS: &str = "alpha";
/// A project that the spy may see at times.
pub const AT_TIMES: &str = "gamma";
/// The victim's project and the victim. Nothing that the spy gets may have `vic` in it.
pub const THEIRS: &str = "vicproject";
pub const VICTIM: &str = "vicbob";
/// A project whose producer is hostile; nobody watches it.
pub const HOSTILE: &str = "beta";
/// The spy.
pub const SPY: &str = "ann";

/// The audience of an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum For {
    Project(&'static str),
    Person(&'static str),
    All,
}

pub const WHOM: [For; 6] = [
    For::Project(OURS),
    For::Project(THEIRS),
    For::Project(AT_TIMES),
    For::Person(VICTIM),
    For::Person(SPY),
    For::All,
];

impl For {
    fn name(self) -> &'static str {
        match self {
            Self::Project(name) | Self::Person(name) => name,
            Self::All => "all",
        }
    }

    pub fn is_victims(self) -> bool {
        self.name().starts_with("vic")
    }
}

/// Numbers the events.
#[derive(Debug, Default)]
pub struct World {
    /// The recipients of each of them.
    pub published: Vec<For>,
    /// The time of the last one in milliseconds, where they say their time.
    time: Option<u64>,
}

/// Kinds of events of a project.
const OF_PROJECTS: usize = 16;
/// Kinds of events of a person.
const OF_PEOPLE: usize = 7;

impl World {
    /// The marker of an event.
    pub fn marker(n: usize, whom: For) -> String {
        format!("mk-{}-{n}-", whom.name())
    }

    /// The owners of things, which must be known before anything else happens.
    pub fn beginning(&mut self) -> Vec<Value> {
        let mut events = Vec::new();
        for project in [OURS, THEIRS, AT_TIMES] {
            let m = self.next(For::Project(project));
            let task = format!("task-of-{project}");
            events.push(
                json!({ "type": "project.created", "project_id": project, "data": { "name": m } }),
            );
            events.push(json!({ "type": "task.created", "project_id": project, "data": { "task_id": task, "name": m } }));
            events.push(json!({ "type": "task.created", "project_id": project, "data": { "task_id": "1", "name": m } }));
        }
        for user in [VICTIM, SPY] {
            for kind in 0..OF_PEOPLE {
                events.push(self.event(kind, For::Person(user)));
            }
        }
        events
    }

    /// The same events with times of their own, which are then the same on every server.
    pub fn dated(&mut self, mut events: Value) -> Value {
        let now = || std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
        let time = self.time.get_or_insert_with(|| {
            u64::try_from(now().expect("after 1970").as_millis()).expect("not yet")
        });
        let list = match &mut events {
            Value::Array(list) => list.as_mut_slice(),
            one => std::slice::from_mut(one),
        };
        for event in list {
            if event["timestamp"].is_null() {
                *time += 1;
                event["timestamp"] = (*time).into();
            }
        }
        events
    }

    pub fn next(&mut self, whom: For) -> String {
        self.published.push(whom);
        Self::marker(self.published.len() - 1, whom)
    }

    /// One more event.
    pub fn event(&mut self, kind: usize, whom: For) -> Value {
        let m = self.next(whom);
        match whom {
            For::Project(project) => of_project(kind % OF_PROJECTS, project, &m),
            For::Person(user) => of_person(kind % OF_PEOPLE, user, &m),
            For::All if kind.is_multiple_of(2) => {
                json!({ "type": "agent.registered", "data": { "agent_id": "both", "agent_name": m } })
            }
            For::All => json!({ "type": "team.notice", "data": { "message": m } }),
        }
    }
}

/// Some name their project, others only a task that is known to be its; `both` and task `1` are in all of them.
fn of_project(kind: usize, project: &str, m: &str) -> Value {
    let task = format!("task-of-{project}");
    match kind {
        0 => {
            json!({ "type": "task.created", "project_id": project, "data": { "task_id": m, "task_name": m, "description": m } })
        }
        1 => {
            json!({ "type": "task.assigned", "data": { "task_id": task, "agent_id": "both", "task_name": m } })
        }
        2 => {
            json!({ "type": "task.progress", "project_id": project, "data": { "task_id": "1", "agent_id": "both", "progress": 40, "message": m } })
        }
        3 => {
            json!({ "type": "agent.status_changed", "project_id": project, "data": { "agent_id": "both", "new_status": "working", "current_task": m, "message": m } })
        }
        4 => {
            json!({ "type": "agent.status_changed", "data": { "agent_id": "both", "task_id": task, "note": m } })
        }
        5 => {
            json!({ "event": "worker_communication", "conversation_type": "worker_to_pm", "worker_id": "both", "message": m, "metadata": { "project_id": project } })
        }
        6 => {
            json!({ "type": "task_assignment", "worker_id": "both", "task_id": task, "task_name": m, "source": m, "target": "both" })
        }
        7 => {
            json!({ "type": "decision_logged", "project_id": project, "data": { "decision": m, "rationale": m, "agent_id": "both", "alternatives": [m], "confidence": 0.5 } })
        }
        8 => {
            json!({ "event": "blocker_reported", "worker_id": "both", "task_id": task, "blocker_description": m, "severity": "high", "suggested_solutions": [m] })
        }
        9 => {
            json!({ "type": "system.health.changed", "project_id": project, "data": { "severity": "warning", "message": m, "risk_level": m } })
        }
        10 => {
            json!({ "update_type": "node_update", "update_id": m, "target_id": m, "project_id": project, "changes": { "label": m } })
        }
        11 => {
            json!({ "type": "agent.message.delta", "project_id": project, "data": { "message_id": "msg", "agent_id": "both", "delta": m } })
        }
        12 => {
            json!({ "type": "ingest.job.progress", "job": { "id": m, "project_id": project, "stage": m } })
        }
        13 => {
            json!({ "type": "project.updated", "data": { "project_id": project, "project_name": m, "project_state": { "risk_level": m } } })
        }
        14 => {
            json!({ "id": m, "type": "team.talk", "source": m, "project_id": project, "metadata": { "note": m }, "data": {} })
        }
        _ => {
            json!({ "type": "agent.run.started", "run": { "id": m, "project_id": project, "agent_id": "both", "prompt": m } })
        }
    }
}

fn of_person(kind: usize, user: &str, m: &str) -> Value {
    match kind {
        0 => {
            json!({ "type": "workflow.run.started", "data": { "execution_id": format!("exec-{user}"), "workflow_id": "common", "user_id": user, "note": m } })
        }
        1 => {
            json!({ "type": "workflow.node.completed", "nodeState": { "execution_id": format!("exec-{user}"), "node_id": m, "output": m } })
        }
        2 => {
            json!({ "type": "ingest.job.started", "job": { "id": format!("job-{user}"), "owner_id": user, "file": m } })
        }
        3 => {
            json!({ "type": "agent.run.started", "run": { "id": format!("run-{user}"), "user_id": user, "prompt": m } })
        }
        4 => json!({ "type": "user.notified", "data": { "user_id": user, "message": m } }),
        5 => {
            json!({ "type": "agent.message.delta", "data": { "message_id": "msg", "run_id": format!("run-{user}"), "delta": m } })
        }
        _ => {
            json!({ "type": "workflow.run.progress", "data": { "execution_id": format!("exec-{user}"), "workflow_id": "common", "progress": 10, "note": m } })
        }
    }
}

/// Rooms that the spy asks for.
pub const ROOMS: [&str; 14] = [
    "project:alpha",
    "project:gamma",
    "project:vicproject",
    "task:task-of-alpha",
    "task:task-of-vicproject",
    "task:1",
    "agent:both",
    "execution:exec-vicbob",
    "execution:exec-ann",
    "workflow:common",
    "run:run-vicbob",
    "job:job-vicbob",
    "user:vicbob",
    "producers",
];

/// The text without what is made of random letters, in which a marker or a name may stand by chance: the transport's ids,
/// and places in the journal.
fn without_chance(text: &str) -> String {
    const KEYS: [&str; 6] = [
        "\"sid\":\"",
        "\"cursor\":\"",
        "\"from\":\"",
        "\"to\":\"",
        "\"next\":\"",
        "id: ",
    ];
    let (mut out, mut rest) = (String::with_capacity(text.len()), text);
    while let Some((at, key)) = KEYS.iter().filter_map(|k| Some((rest.find(k)?, k))).min() {
        let (before, value) = rest.split_at(at + key.len());
        let (value, after) = value.split_at(value.find(['"', '\n']).unwrap_or(value.len()));
        out.push_str(before);
        if *key != KEYS[0] && value.parse::<Cursor>().is_err() {
            out.push_str(value);
        }
        rest = after;
    }
    out + rest
}

/// The things that the spy may see beside those for everybody.
#[derive(Debug, Clone, Copy)]
pub enum Rights {
    /// Its own project.
    Narrow,
    /// The second one too.
    Wide,
}

impl Rights {
    /// The fault of a text that the spy got; `asked` are names that it sent itself, and that may come back.
    pub fn leak(self, text: &str, asked: &[String]) -> Option<String> {
        let mut text = without_chance(text).to_lowercase();
        for (at, _) in text.match_indices("mk-") {
            let mut words = text[at + 3..].split('-');
            let whom = words.next().unwrap_or_default();
            let may = match whom {
                OURS | SPY | "all" => true,
                AT_TIMES => matches!(self, Self::Wide),
                _ => false,
            };
            if !may {
                return Some(format!("mk-{whom}-{}", words.next().unwrap_or("?")));
            }
        }
        for name in asked {
            text = text.replace(name.as_str(), "");
        }
        text.find("vic").map(|at| {
            let end = text.len().min(at + 30);
            text.get(at..end).unwrap_or("vic").to_owned()
        })
    }
}
