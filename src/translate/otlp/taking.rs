//! The answer of a memory to spans: their fates, and the events that follow.

use super::{span::SpanKey, telling::Events};
use crate::translate::Told;

/// The fate of a span.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// The span gave events, or gives them as soon as its parent is known.
    Taken,
    /// The span is only a link between others.
    Ignored,
    /// The span came before.
    Repeated,
}

/// Events, each with the span that gave it.
#[derive(Debug, Default)]
pub struct Taking {
    pub(super) events: Events,
}

impl Taking {
    /// The count of the events.
    pub fn len(&self) -> usize {
        self.events.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.events.is_empty()
    }

    /// The events, each with its trace and its span.
    pub fn into_events(self) -> impl Iterator<Item = (Told, SpanKey)> {
        self.events.into_iter()
    }
}
