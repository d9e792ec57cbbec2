//! Events as they came in, before anybody reads them.

use bytes::Bytes;
use serde_json::Value;

use crate::{error::Error, event};

/// Bytes of an event for which it counts once more in what its producer has under way.
const COST_BYTES: usize = 1_024;

/// One event as it came in: its JSON, and how long that was.
#[derive(Debug, Clone)]
pub enum Raw {
    /// Its text: read when it is its turn, so that of a long list one event at a time is in memory.
    Text(Bytes),
    /// Parsed, with the length of its text when that is known.
    Json(Value, Option<usize>),
    /// Not even that.
    Bad(Error),
}

impl Raw {
    /// About how many bytes it holds.
    pub(super) fn held(&self) -> usize {
        match self {
            Self::Text(text) => text.len(),
            Self::Json(Value::Object(object), _) => event::held_by_object(object),
            Self::Json(..) | Self::Bad(_) => size_of::<Self>(),
        }
    }

    /// The units that the event counts in the backlog of its producer: a long event is more work than a short one.
    pub(super) fn cost(&self) -> usize {
        let bytes = match self {
            // The length that is known of a list is that of all its events.
            Self::Json(_, Some(len)) => self.held().min(*len),
            _ => self.held(),
        };
        1 + bytes / COST_BYTES
    }
}
