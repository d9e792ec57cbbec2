//! Events as they come in, before anybody reads them.

use bytes::Bytes;
use serde_json::Value;

use crate::{emission::Emission, error::Error, event};

/// Bytes of an event that count as one further event in its producer's backlog.
const COST_BYTES: usize = 1_024;

/// An event as it came in: its JSON, and the length of its text.
#[derive(Debug, Clone)]
pub enum Raw {
    /// The text: it is read when its turn comes, so that only one event of a long list is in memory.
    Text(Bytes),
    /// The value, with the length of its text when that is known.
    Json(Value, Option<usize>),
    /// An emission to be kept.
    Emission(Box<Emission>),
    /// The error of an element that could not even be read.
    Bad(Error),
}

impl Raw {
    /// About how many bytes it holds.
    pub(super) fn held(&self) -> usize {
        match self {
            Self::Text(text) => text.len(),
            Self::Json(Value::Object(object), _) => event::held_by_object(object),
            Self::Emission(emission) => emission.held(),
            Self::Json(..) | Self::Bad(_) => size_of::<Self>(),
        }
    }

    /// The units that the event counts in the backlog of its producer: a long event is more work than a short one.
    pub(super) fn cost(&self) -> usize {
        let bytes = match self {
            // The known length of a list is that of all its events.
            Self::Json(_, Some(len)) => self.held().min(*len),
            _ => self.held(),
        };
        1 + bytes / COST_BYTES
    }
}
