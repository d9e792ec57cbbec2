//! The facts about a stream that its messages don't say.

use std::sync::Arc;

/// The facts about a stream that its producer said beside it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct StreamContext {
    /// The project of its events.
    pub project: Option<Arc<str>>,
    /// The agent whose stream it is.
    pub agent: Option<Arc<str>>,
    /// The conversation, where the messages don't name it.
    pub thread: Option<Arc<str>>,
    /// The run, where the messages don't name it.
    pub run: Option<Arc<str>>,
}
