//! A blocker: the reason why a task does not go on, as its agent says it.

use super::limits::{self, ENTRY};
use crate::{event::Event, timestamp::Timestamp, update::seneca::read};

/// Bytes that are kept of an agent's words about a blocker.
const MAX_SAID: usize = 4_096;

/// A thing that keeps a task from going on.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Blocker {
    /// The agent's words.
    pub(super) text: String,
    /// `low`, `medium`, `high`; `medium` if the agent did not say.
    pub(super) severity: String,
    /// The remedy that the agent proposed, if it did.
    pub(super) suggestion: Option<String>,
    /// The time at which it was reported.
    pub(super) since: Timestamp,
}

impl Blocker {
    /// The blocker that an event reports.
    pub(super) fn of(event: &Event) -> Self {
        let data = &event.data;
        let first = |key: &str| data.get(key)?.as_array()?.first()?.as_str();
        Self {
            text: text(event).to_owned(),
            severity: limits::name(read::text(data, "severity").unwrap_or("medium")).to_owned(),
            suggestion: read::text(data, "suggested_resolution")
                .or_else(|| first("suggested_solutions"))
                .map(|text| limits::cut(text, MAX_SAID).to_owned()),
            since: event.timestamp,
        }
    }

    pub(super) fn held(&self) -> usize {
        let suggestion = self.suggestion.as_ref().map_or(0, String::len);
        ENTRY + self.text.len() + self.severity.len() + suggestion
    }
}

/// The agent's words about a blocker.
pub(super) fn text(event: &Event) -> &str {
    let data = &event.data;
    let text = read::first_text(data, &["blocker_description", "blocker", "message"])
        .or_else(|| data.get("blockers")?.as_array()?.first()?.as_str())
        .unwrap_or_default();
    limits::cut(text, MAX_SAID)
}
