//! Who may see which things: the rule set, as data of the configuration.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use smart_default::SmartDefault;

use super::numbers::Count;
use crate::event::ThingKind;

/// How it is decided whether a client may see a thing and be in its room. A token's `rooms` allow what they name in any
/// case, and an admin everything.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Rule {
    /// Everybody who may watch at all.
    All,
    /// Whoever's token names it.
    Claim,
    /// Everybody who may see the project that the event names, else all that it was named with; everybody, while none is known.
    Project,
    /// Its owner; while none is known, whoever may see its project.
    Owner,
    /// The user whose id it is.
    User,
}

/// `[access]`: for each kind of thing, the rule. It holds for rooms, updates, history, state, streams and resumes alike.
#[derive(Debug, Clone, PartialEq, SmartDefault, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Rules {
    /// Projects. A claim, since who works together is known to whoever makes the tokens.
    #[default(Rule::Claim)]
    pub project: Rule,
    /// Agents. They work for many projects: what they do there is the projects' matter.
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
    /// People.
    #[default(Rule::User)]
    pub user: Rule,
    /// Things of one kind whose owner and project are remembered, so that a producer with ever new ids can't fill the memory.
    pub max_known: Count<50_000>,
    /// Bytes of memory that these may hold, of all kinds together.
    pub max_known_bytes: Count<{ 8 << 20 }, { 1 << 16 }, { 1 << 40 }>,
    /// Where an admin's bans and revocations are kept over a restart; empty for beside the journal's file.
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
        }
    }
}
