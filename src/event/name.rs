//! The name of an event: as the producer wrote it, and folded so that separators don't matter.

use std::sync::Arc;

/// An event's type. `agent_status_changed`, `agent.status.changed` and `agent:status:changed` are one.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct EventName {
    /// As written: observers get it back as `source_type`.
    raw: Arc<str>,
    /// Lower case, every separator a dot: what tables, rules and filters match.
    canonical: Arc<str>,
}

impl EventName {
    /// Folds `raw`; for a dialect whose canonical name is not the folded one, see [`EventName::with_canonical`].
    pub fn new(raw: &str) -> Self {
        Self {
            canonical: folded(raw).into(),
            raw: raw.into(),
        }
    }

    /// The name of an event that is published: an update's own name stands for the event behind it.
    pub fn published(raw: &str) -> Self {
        let name = folded(raw);
        let update = UPDATES.iter().find(|(update, _)| *update == name);
        Self {
            canonical: update.map_or(&*name, |(_, event)| event).into(),
            raw: raw.into(),
        }
    }

    /// A name whose canonical form differs from the written one (`agent_update` of the update pipeline, visual updates).
    pub fn with_canonical(raw: &str, canonical: &str) -> Self {
        Self {
            raw: raw.into(),
            canonical: folded(canonical).into(),
        }
    }

    /// As the producer wrote it.
    pub fn raw(&self) -> &str {
        &self.raw
    }

    /// Folded: `agent.status.changed`.
    pub fn canonical(&self) -> &str {
        &self.canonical
    }

    /// The same, shared.
    pub(crate) fn shared_canonical(&self) -> Arc<str> {
        self.canonical.clone()
    }

    /// The first segment: `agent`, `task`, `workflow`, …
    pub fn family(&self) -> &str {
        self.canonical.split('.').next().unwrap_or_default()
    }

    /// The last segment: what changed.
    pub fn change_type(&self) -> &str {
        self.canonical.rsplit('.').next().unwrap_or_default()
    }
}

/// The names of updates that servers emitted: a producer that publishes one means the event behind it.
const UPDATES: [(&str, &str); 5] = [
    ("agent.status.change", "agent.status.changed"),
    ("health.update", "system.health.changed"),
    ("ingest.update", "ingest.job.updated"),
    ("message.appended", "agent.message.appended"),
    ("node.update", "workflow.node.state.updated"),
];

/// A name in the form for comparisons: lower case, with `_`, `:` and `-` turned into dots.
pub fn folded(raw: &str) -> String {
    raw.chars()
        .map(|c| match c {
            '_' | ':' | '-' => '.',
            c => c.to_ascii_lowercase(),
        })
        .collect()
}
