//! The keys of a deployment. They share a hash tag: one script may touch them all, and a cluster keeps them in one slot.

use crate::journal::KeptText;

/// The keys of a deployment.
#[derive(Debug, Clone)]
pub(super) struct Keys {
    /// A hash: the last place, the engine's replication id, the present epoch, the first place, the bytes.
    pub(super) meta: String,
    /// The stream of the events.
    pub(super) stream: String,
    /// A hash: the place and the content of each event's id.
    pub(super) ids: String,
    /// A list: `epoch:the last place before it`.
    pub(super) generations: String,
    /// The newest checkpoint: its place, and the key of its parts.
    pub(super) checkpoint: String,
    /// A hash of texts that belong to no event.
    pub(super) texts: String,
    /// A hash of sessions.
    pub(super) sessions: String,
    /// A hash of an admin's decisions.
    pub(super) decisions: String,
    /// The name of the node that does the chores.
    pub(super) lease: String,
}

impl Keys {
    pub(super) fn of(deployment: &str) -> Self {
        Self::under(&format!("stoa:{{{deployment}}}"))
    }

    /// Keys beside those of a deployment, that its users' rights hold for, for a trial that takes them away again.
    pub(super) fn of_trial(deployment: &str) -> Self {
        let trial = uuid::Uuid::new_v4();
        Self::under(&format!("stoa:{{{deployment}}}:trial:{trial}"))
    }

    fn under(prefix: &str) -> Self {
        let key = |name: &str| format!("{prefix}:{name}");
        Self {
            meta: key("meta"),
            stream: key("events"),
            ids: key("ids"),
            generations: key("generations"),
            checkpoint: key("checkpoint"),
            texts: key("texts"),
            sessions: key("sessions"),
            decisions: key("decisions"),
            lease: key("lease"),
        }
    }

    /// The field of a text that a node keeps.
    pub(super) fn text(name: KeptText, node: &str) -> String {
        match name.is_shared() {
            true => name.name().to_owned(),
            false => format!("{}:{node}", name.name()),
        }
    }

    /// The key of the parts of a checkpoint that a node makes.
    pub(super) fn parts(&self, seq: u64, node: &str) -> String {
        format!("{}:{seq}:{node}", self.checkpoint)
    }
}
