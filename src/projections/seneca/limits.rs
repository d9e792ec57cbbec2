//! Bounds of the dashboard, in bytes of memory that its parts hold, and the counts of evicted things.

/// Bytes of an id that things are kept by. The doors refuse far shorter ids; but some ids of Seneca's own are no ids to
/// them, and an older journal may hold longer ones.
const MAX_ID: usize = 4_096;
/// Bytes of a name that is shown.
const MAX_NAME: usize = 256;
/// Bytes that an entry of a map costs beside the texts in it, with its share of the map.
pub(super) const ENTRY: usize = 160;

/// Whether things are kept by an id of this length.
pub(super) fn fits(id: &str) -> bool {
    id.len() <= MAX_ID
}

/// The part of a name that is kept.
pub(super) fn name(text: &str) -> &str {
    cut(text, MAX_NAME)
}

/// The part of a text that is kept.
pub(super) fn cut(text: &str, most: usize) -> &str {
    &text[..text.floor_char_boundary(most)]
}

/// The bytes that each part may hold: shares of the dashboard's, so that no part takes another's.
#[derive(Debug, Clone, Copy)]
pub(super) struct Shares {
    /// Lines of the conversation.
    pub(super) lines: usize,
    /// Tasks.
    pub(super) tasks: usize,
    /// Readings of the health.
    pub(super) readings: usize,
    /// Flows.
    pub(super) flows: usize,
    /// Agents.
    pub(super) agents: usize,
}

impl Shares {
    /// All of them together are at most seven eighths: the counts by name and the objects that were sent last take the
    /// rest.
    pub(super) fn of(bytes: usize) -> Self {
        Self {
            lines: bytes / 4,
            tasks: bytes / 4,
            readings: bytes / 8,
            flows: bytes / 8,
            agents: bytes / 8,
        }
    }
}

/// The counts of things that the dashboard evicted, or did not take, because of its bounds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Forgotten {
    /// Lines of the conversation.
    pub lines: u64,
    /// Tasks, and tasks that were not taken because none could be evicted.
    pub tasks: u64,
    /// Readings of the health.
    pub readings: u64,
    /// Flows.
    pub flows: u64,
    /// Agents.
    pub agents: u64,
}
