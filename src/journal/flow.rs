//! The turn that an event takes while it is delivered.

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
