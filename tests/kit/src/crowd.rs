//! The stream of the slow-client runs, and the account of what one client of it saw.
//!
//! Mostly progress of a few tasks, which may be coalesced, and one event in fifty that may not: decisions, and one in eighty of
//! these a task that is blocked. Slow clients want progress and blocked tasks. Every event says in its own fields which
//! one it is, so that what a client saw can be judged without anything else.
use std::{
    collections::HashMap,
    hash::{DefaultHasher, Hash, Hasher},
};

use serde_json::{Value, json};

/// Tasks whose progress is told.
pub const TASKS: u64 = 50;
/// One event in so many is a decision.
pub const DECISION: u64 = 50;
/// One decision in so many is a blocked task instead, and critical.
pub const BLOCKED: u64 = 80;
/// Its number.
const BLOCKED_AT: u64 = 76;
/// The filter of slow clients.
pub const SLOW_FILTER: [&str; 2] = ["progress_update", "task_update"];
/// Decisions take turns at these.
pub const PRIORITIES: [&str; 4] = ["critical", "high", "normal", "low"];

/// The event with this number, from 0 on.
pub fn event(n: u64, filler: &str) -> Value {
    match place(n) {
        Place::Decision(d) if is_blocked(d) => json!({
            "type": "task.blocked", "id": format!("n{n}"), "priority": "critical",
            "data": { "task_id": format!("t{}", d % TASKS), "reason": filler, "n": n },
        }),
        Place::Decision(d) => json!({
            "type": "decision.logged", "id": format!("n{n}"), "priority": PRIORITIES[d as usize % PRIORITIES.len()],
            "data": { "what": filler, "n": n },
        }),
        Place::Progress { task, step } => json!({
            "type": "task.progress", "id": format!("n{n}"),
            "data": { "task_id": format!("t{task}"), "progress": step, "message": filler, "n": n },
        }),
    }
}

/// Whether a decision is a blocked task instead.
fn is_blocked(decision: u64) -> bool {
    decision % BLOCKED == BLOCKED_AT
}

/// The part of the stream to which an event belongs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// The so-manyth decision, from 0 on.
    Decision(u64),
    /// The so-manyth progress of a task, from 1 on.
    Progress { task: u64, step: u64 },
}

/// The part of the stream to which the event with this number belongs.
pub fn place(n: u64) -> Place {
    if n % DECISION == DECISION - 1 {
        return Place::Decision(n / DECISION);
    }
    let progress = n - n / DECISION;
    Place::Progress {
        task: progress % TASKS,
        step: progress / TASKS + 1,
    }
}

/// The number of a task's so-manyth progress.
fn number_of(task: u64, step: u64) -> u64 {
    let progress = (step - 1) * TASKS + task;
    progress + progress / (DECISION - 1)
}

/// One update of the stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Update {
    pub place: Place,
    /// The number of the first event in it.
    pub first: u64,
    /// The number of events in it.
    pub coalesced: u64,
    /// Its place in [`PRIORITIES`].
    pub priority: usize,
}

/// The kind of a packet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Packet {
    Update(Update),
    /// Anything else, by its name; a notice by its code.
    Other(String),
}

/// Reads a packet, from its `[` on.
pub fn read(packet: &[u8]) -> Packet {
    let (name, body): (String, Value) = serde_json::from_slice(packet).expect("a packet is JSON");
    let id = body["id"].as_str().and_then(|id| id.strip_prefix('n'));
    let Some(n) = id.and_then(|id| id.parse().ok()) else {
        let code = body["code"].as_str().map(str::to_owned);
        return Packet::Other(code.unwrap_or(name));
    };
    let coalesced = body["coalesced"].as_u64().unwrap_or(1);
    let place = place(n);
    let first = match place {
        Place::Decision(_) => n,
        Place::Progress { task, step } => {
            assert_eq!(body["progress"].as_u64(), Some(step), "{body}");
            number_of(task, step + 1 - coalesced.min(step))
        }
    };
    let priority = body["priority"].as_str().unwrap_or_default();
    Packet::Update(Update {
        place,
        first,
        coalesced,
        priority: PRIORITIES
            .iter()
            .position(|p| *p == priority)
            .expect("a priority"),
    })
}

/// The number of the event that an update is of, read without parsing the packet.
pub fn number(packet: &[u8]) -> Option<u64> {
    between(packet, b"\"id\":\"n")?.parse().ok()
}

/// The text behind `start`, up to the next quotation mark.
pub fn between<'p>(packet: &'p [u8], start: &[u8]) -> Option<&'p str> {
    let at = packet.windows(start.len()).position(|w| w == start)? + start.len();
    let len = packet[at..].iter().position(|b| *b == b'"')?;
    std::str::from_utf8(&packet[at..at + len]).ok()
}

/// A number for a packet's text.
pub fn hash(packet: &[u8]) -> u64 {
    let mut hasher = DefaultHasher::new();
    packet.hash(&mut hasher);
    hasher.finish()
}

/// The progress of a client in each part of the stream.
#[derive(Debug, Clone, Default)]
pub struct Progress {
    /// The last decision of each priority: priorities may overtake one another.
    decisions: HashMap<u64, u64>,
    /// The blocked tasks that came, if nothing else but them and progress is wanted.
    blocked: Option<u64>,
    /// The last step of each task.
    pub steps: HashMap<u64, u64>,
    /// The first few faults, in words.
    pub faults: Vec<String>,
}

impl Progress {
    /// Of one with [`SLOW_FILTER`].
    pub fn of_slow() -> Self {
        Self {
            blocked: Some(0),
            ..Self::default()
        }
    }

    /// Takes the next update: it must go on exactly where the client is.
    pub fn take(&mut self, update: Update) {
        let fault = match update.place {
            Place::Decision(d) if self.blocked.is_some() => {
                let expected = self.blocked.unwrap_or(0) * BLOCKED + BLOCKED_AT;
                self.blocked = Some(d / BLOCKED + 1);
                (d != expected).then(|| format!("blocked {d} where {expected} was due"))
            }
            Place::Decision(d) => {
                let turns = PRIORITIES.len() as u64;
                let expected = self
                    .decisions
                    .get(&(d % turns))
                    .map_or(d % turns, |last| last + turns);
                self.decisions.insert(d % turns, d);
                (d != expected).then(|| format!("decision {d} where {expected} was due"))
            }
            Place::Progress { task, step } => {
                let last = self.steps.insert(task, step).unwrap_or(0);
                let begins = (step + 1).saturating_sub(update.coalesced);
                (begins != last + 1).then(|| {
                    format!(
                        "task {task}: steps {begins} to {step} where {} was due",
                        last + 1
                    )
                })
            }
        };
        if let Some(fault) = fault.filter(|_| self.faults.len() < 5) {
            self.faults.push(fault);
        }
    }

    /// Whether it has the last value of every task, of a stream of so many events, and of a slow one every blocked task.
    pub fn has_last_steps(&self, events: u64) -> bool {
        self.has_last_blocked(events)
            && (0..TASKS).all(|task| self.steps.get(&task).copied() == last_step(task, events))
    }

    /// Whether it has every blocked task, if it is a slow one's.
    pub fn has_last_blocked(&self, events: u64) -> bool {
        let blocked = (events / DECISION + BLOCKED - 1 - BLOCKED_AT) / BLOCKED;
        self.blocked.is_none_or(|came| came == blocked)
    }

    /// Whether it has every decision.
    pub fn has_last_decisions(&self, events: u64) -> bool {
        let decisions = events / DECISION;
        let turns = PRIORITIES.len() as u64;
        (0..turns.min(decisions)).all(|turn| {
            let last = (decisions - 1 - turn) / turns * turns + turn;
            self.decisions.get(&turn) == Some(&last)
        })
    }

    /// Whether it has both.
    pub fn is_complete(&self, events: u64) -> bool {
        self.has_last_steps(events) && self.has_last_decisions(events)
    }
}

fn last_step(task: u64, events: u64) -> Option<u64> {
    let progress = events - events / DECISION;
    (progress > task).then(|| (progress - task - 1) / TASKS + 1)
}
