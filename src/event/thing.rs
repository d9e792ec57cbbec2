//! The things that events are about. Each has a room of its own, `{kind}:{id}`, and rules on who may see it.

use std::fmt;

use serde::{Deserialize, Serialize};
use strum::{EnumString, IntoStaticStr, VariantArray};

/// The kind of thing that an id names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[derive(EnumString, IntoStaticStr, VariantArray, strum::VariantNames)]
#[strum(serialize_all = "lowercase")]
pub enum ThingKind {
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
    /// A session: runs that belong together.
    Session,
}

impl ThingKind {
    /// All kinds.
    pub const ALL: &'static [Self] = Self::VARIANTS;

    /// The name, as rooms begin with it.
    pub fn as_str(self) -> &'static str {
        self.into()
    }

    /// All names, with commas between them.
    pub fn names() -> String {
        <Self as strum::VariantNames>::VARIANTS.join(", ")
    }

    /// Reads a name.
    pub fn from_name(name: &str) -> Option<Self> {
        name.parse().ok()
    }
}

impl fmt::Display for ThingKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
