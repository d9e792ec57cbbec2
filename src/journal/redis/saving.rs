//! A checkpoint that is being kept in parts.

use crate::journal::Seq;

/// A checkpoint of which some parts are kept.
#[derive(Debug)]
pub(super) struct SavingParts {
    pub(super) seq: Seq,
    /// The key of the parts.
    pub(super) key: String,
    /// The number of parts that are kept.
    pub(super) parts: u32,
}
