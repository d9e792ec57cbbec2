//! The context in which an event is parsed.

use super::Object;
use crate::timestamp::Timestamp;

/// The facts that a door adds to an event that comes in.
#[derive(Debug, Clone, Copy)]
pub struct ParseContext<'a> {
    /// The time of events that carry none of their own.
    pub now: Timestamp,
    /// The source of events that name none.
    pub producer: &'a str,
    /// The deepest nesting: deeper data is never a fact about an agent, and every consumer would have to survive it.
    pub max_depth: usize,
}

/// Whether an object has a key that is not `null`.
pub(super) fn present(object: &Object, key: &str) -> bool {
    object.get(key).is_some_and(|value| !value.is_null())
}
