//! The turn that an event takes while it is delivered.

/// Stands for a producer where producers take turns; not kept. The default stands for all that was read from the file.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FlowId {
    /// Stands for the turn: all whose tokens name the same projects share one. One whose token names none has its own.
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
