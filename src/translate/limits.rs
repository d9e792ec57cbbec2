//! The bounds on what a stream holds, and the count of what they cost.

/// The bounds on what a stream holds.
#[derive(Debug, Clone, Copy)]
pub struct TranslatorLimits {
    /// Messages, tool calls and agents of each kind that may be open at a time.
    pub open: usize,
    /// Bytes of the arguments of tool calls that are joined.
    pub joined: usize,
}

/// The things of a stream that were dropped, since a bound was reached.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct LostParts {
    /// Open things.
    pub open: u64,
    /// Pieces of arguments.
    pub pieces: u64,
}
