//! The sender of an event, as far as its delivery wants to know it: the turn that it takes, and the connection.

use std::num::NonZeroU64;

/// A producer, where producers take turns; not kept. The default stands for all events that were read from the file.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FlowId {
    /// The turn: producers whose tokens name the same projects share one. A producer whose token names none has its
    /// own.
    pub turn: u64,
    /// The producer.
    pub producer: u64,
}

impl FlowId {
    /// A producer that shares its turn with nobody.
    pub const fn alone(producer: u64) -> Self {
        Self {
            turn: producer,
            producer,
        }
    }
}

/// The sender of a published event. The journal keeps none of it: an event that was read from the file has the default.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct PublishedBy {
    /// The producer whose turn the event takes while it is delivered.
    pub flow: FlowId,
    /// The connection that published it, if its door doesn't send clients their own updates.
    pub connection: Option<NonZeroU64>,
}

impl PublishedBy {
    /// The same sender, if another event is of the same connection; else no connection's.
    pub fn shared_with(self, other: Self) -> Self {
        Self {
            connection: self
                .connection
                .filter(|_| self.connection == other.connection),
            ..self
        }
    }
}

impl From<FlowId> for PublishedBy {
    fn from(flow: FlowId) -> Self {
        Self {
            flow,
            connection: None,
        }
    }
}
