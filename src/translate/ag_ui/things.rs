//! The things of a stream that are open.

use crate::translate::output::By;

/// The run that goes on, or the last one.
#[derive(Debug, Clone)]
pub(super) struct Run {
    pub(super) id: String,
    pub(super) is_over: bool,
}

/// A run that waits for answers.
#[derive(Debug, Clone)]
pub(super) struct Paused {
    pub(super) run: String,
    pub(super) by: By,
    /// The questions, each with who asked.
    pub(super) questions: Vec<(String, By)>,
}

impl Paused {
    pub(super) fn held(&self) -> usize {
        let each = |(id, by): &(String, By)| id.len() + by.agent.len() + size_of::<By>();
        self.questions.iter().map(each).sum()
    }
}

/// A subagent of the run.
#[derive(Debug, Clone)]
pub(super) struct Subagent {
    pub(super) agent: String,
    /// Whether its task is over; then its name may be another's.
    pub(super) is_over: bool,
}

/// A message that is written.
#[derive(Debug, Clone)]
pub(super) struct Message {
    pub(super) is_reasoning: bool,
    /// The subagent that writes it.
    pub(super) subagent: Option<String>,
    /// Whether it came in chunks, which have no word for the end.
    pub(super) is_chunked: bool,
}

impl Message {
    pub(super) fn kind(&self) -> &'static str {
        kind_of(self.is_reasoning)
    }
}

/// The kind of a message.
pub(super) fn kind_of(is_reasoning: bool) -> &'static str {
    match is_reasoning {
        true => "reasoning",
        false => "text",
    }
}

/// A call without an answer.
#[derive(Debug, Clone)]
pub(super) struct Call {
    pub(super) name: String,
    /// The subagent that calls.
    pub(super) subagent: Option<String>,
    /// The arguments so far.
    pub(super) args: String,
    /// Whether pieces of them were dropped.
    pub(super) is_cut: bool,
    /// Whether it came in chunks, and they go on.
    pub(super) is_chunked: bool,
}
