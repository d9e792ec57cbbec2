//! The rules on things, as data of the configuration: they decide which clients may see a thing.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use smart_default::SmartDefault;

use super::numbers::Count;
use crate::event::ThingKind;

/// The rule that decides whether a client may see a thing and be in its room. A token's `rooms` always allow the rooms
/// that they name, and an admin may see everything.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Rule {
    /// Every observer.
    All,
    /// Clients whose token names the thing.
    Claim,
    /// Clients that see the project that the event names, else every project that the thing was named with; everybody,
    /// while none is known.
    Project,
    /// The owner of the thing; while none is known, clients that see its project.
    Owner,
    /// The user with this id.
    User,
}

/// The clients that may be in rooms of any name, where tokens are looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum FreeRooms {
    /// Every client.
    All,
    /// Clients whose token names the room, and those that the server puts there.
    Claim,
}

/// `[access]`: for each kind of thing, the rule. It holds for rooms, updates, history, state, streams and resumes alike.
#[derive(Debug, Clone, PartialEq, SmartDefault, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Rules {
    /// Projects. A claim by default, since the issuer of tokens knows who works together.
    #[default(Rule::Claim)]
    pub project: Rule,
    /// Agents. They work for many projects, and what they do there belongs to those projects.
    #[default(Rule::All)]
    pub agent: Rule,
    /// Tasks.
    #[default(Rule::Project)]
    pub task: Rule,
    /// Executions of workflows.
    #[default(Rule::Owner)]
    pub execution: Rule,
    /// Workflows.
    #[default(Rule::Owner)]
    pub workflow: Rule,
    /// Runs of agents.
    #[default(Rule::Owner)]
    pub run: Rule,
    /// Ingest jobs.
    #[default(Rule::Owner)]
    pub job: Rule,
    /// The rooms of sessions. Each update in them is still judged by its run.
    #[default(Rule::Owner)]
    pub session: Rule,
    /// People.
    #[default(Rule::User)]
    pub user: Rule,
    /// Rooms of any name.
    #[default(FreeRooms::Claim)]
    pub free_rooms: FreeRooms,
    /// Things of one kind whose owner and project are remembered, so that a producer with ever new ids can't fill the memory.
    pub max_known: Count<50_000>,
    /// Bytes of memory that these may hold, of all kinds together.
    pub max_known_bytes: Count<{ 8 << 20 }, { 1 << 16 }, { 1 << 40 }>,
    /// The list of bans of an earlier version, which the journal takes over; empty for the one beside the journal's file.
    pub file: PathBuf,
}

impl Rules {
    /// The rule for a kind.
    pub fn of(&self, kind: ThingKind) -> Rule {
        match kind {
            ThingKind::Project => self.project,
            ThingKind::Agent => self.agent,
            ThingKind::Task => self.task,
            ThingKind::Execution => self.execution,
            ThingKind::Workflow => self.workflow,
            ThingKind::Run => self.run,
            ThingKind::Job => self.job,
            ThingKind::User => self.user,
            ThingKind::Session => self.session,
        }
    }
}
