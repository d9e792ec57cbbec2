//! The state of a node, as it is told.

use serde::{Deserialize, Serialize};

use crate::timestamp::Timestamp;

/// Whether a node takes clients.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DrainState {
    /// It does.
    #[default]
    Serving,
    /// It sends its clients elsewhere.
    Draining,
    /// It has none left.
    Drained,
}

/// The status of a drain.
#[derive(Debug, Clone, Serialize)]
pub struct DrainStatus {
    /// The state of the node.
    pub state: DrainState,
    /// The time at which the drain began.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub since: Option<Timestamp>,
    /// The time by which all clients are told to connect again.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub until: Option<Timestamp>,
    /// Connections that are still there.
    pub clients: usize,
    /// Whether the server stops at the end.
    pub stops: bool,
    /// Whether no other node is there that shares this one's journal.
    pub alone: bool,
    /// The consequence of that, in a sentence.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub message: Option<&'static str>,
}
