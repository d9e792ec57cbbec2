//! The time of a count.

/// A time, as the counts need it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Now {
    /// Milliseconds since the start, by a clock that nobody sets.
    pub(super) millis: u64,
    /// The same in whole seconds.
    pub(super) second: u32,
    /// The hour since 1970.
    pub(super) hour: u32,
    /// Microseconds since 1970.
    pub(super) micros: i64,
}
