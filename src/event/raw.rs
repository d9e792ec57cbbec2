//! An event before it is read.

use super::Object;
use crate::timestamp::Timestamp;

/// The facts that a door adds to an event that comes in.
#[derive(Debug, Clone, Copy)]
pub struct ParseContext<'a> {
    /// For events that carry no time of their own.
    pub now: Timestamp,
    /// For events that name no source.
    pub producer: &'a str,
    /// Deeper nesting is refused: it is never a fact about an agent, and every consumer would have to survive it.
    pub max_depth: usize,
}

/// A key that is there and not `null`.
pub(super) fn present(object: &Object, key: &str) -> bool {
    object.get(key).is_some_and(|value| !value.is_null())
}
