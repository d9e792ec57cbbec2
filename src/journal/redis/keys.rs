//! The keys of a deployment. They share a hash tag: one script may touch them all, and a cluster keeps them in one slot.

use crate::journal::KeptText;

/// The keys of a deployment.
#[derive(Debug, Clone)]
pub(super) struct Keys {
    /// A hash: the last place, the engine's replication id, the present epoch, the first place, the bytes, and how often
    /// decisions were kept, losses were written down, and something was written only to be waited for.
    pub(super) meta: String,
    /// The stream of the events.
    pub(super) stream: String,
    /// A hash: the place and the content of each event's id.
    pub(super) ids: String,
    /// A list: `epoch:the last place before it:how often decisions were kept by then`.
    pub(super) generations: String,
    /// A list: losses of the engine, and where what was lost is now.
    pub(super) losses: String,
    /// The newest checkpoint: its place, the epoch of that, the number of its parts, and their key.
    pub(super) checkpoint: String,
    /// The beginning of the keys of texts that belong to no event.
    texts: String,
    /// A hash of sessions.
    pub(super) sessions: String,
    /// A hash of an admin's decisions.
    pub(super) decisions: String,
    /// The node that does the chores, and its process.
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
            losses: key("losses"),
            checkpoint: key("checkpoint"),
            texts: key("text"),
            sessions: key("sessions"),
            decisions: key("decisions"),
            lease: key("lease"),
        }
    }

    /// The key of a text: one for all nodes, or this node's.
    pub(super) fn text(&self, name: KeptText, node: &str) -> String {
        let (texts, shared) = (&self.texts, name.name());
        match name.is_shared() {
            true => format!("{texts}:{shared}"),
            false => format!("{texts}:{shared}:{node}"),
        }
    }

    /// The key of the parts of a checkpoint that a process makes, of which this one is its `count`th.
    pub(super) fn parts(&self, seq: u64, holder: &str, count: u64) -> String {
        format!("{}:{seq}:{holder}:{count}", self.checkpoint)
    }
}
