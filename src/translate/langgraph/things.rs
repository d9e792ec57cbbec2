//! The things of a stream that are open.

use serde_json::Value;

use crate::translate::output::By;

/// A root graph that runs, or waits for an answer.
#[derive(Debug, Clone)]
pub(super) struct Root {
    /// The id of the run: that of the graph which was interrupted, if this goes on with it.
    pub(super) run: String,
    pub(super) name: String,
    pub(super) thread: Option<String>,
    pub(super) is_paused: bool,
    /// Messages so far, by which events are named.
    pub(super) count: u64,
}

impl Root {
    pub(super) fn held(&self) -> usize {
        self.run.len() + self.name.len() + self.thread.as_ref().map_or(0, String::len)
    }
}

/// The task of a node.
#[derive(Debug, Clone)]
pub(super) struct NodeTask {
    pub(super) agent: String,
    pub(super) run: String,
    /// The chain that works at it, in the events of `astream_events`.
    pub(super) chain: Option<String>,
    /// Times that it was begun.
    pub(super) attempts: u64,
    /// Questions without an answer.
    pub(super) questions: Vec<String>,
}

impl NodeTask {
    pub(super) fn held(&self) -> usize {
        let questions: usize = self.questions.iter().map(String::len).sum();
        self.agent.len() + self.run.len() + questions
    }
}

/// The run of a stream.
#[derive(Debug, Clone)]
pub(super) struct Run {
    pub(super) id: String,
    /// The first message of this part of the run: a part that is sent again begins with it.
    pub(super) first: String,
    /// Whether this part goes on with a run that waited.
    pub(super) went_on: bool,
    /// The number of the last message.
    pub(super) seq: u64,
    pub(super) state: RunState,
    /// Whether the stream says itself when the root graph ends.
    pub(super) says_end: bool,
}

/// The state of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum RunState {
    Going,
    Paused,
    Over,
}

impl Run {
    pub(super) fn is_open(&self) -> bool {
        self.state == RunState::Going
    }
}

/// A text that is written.
#[derive(Debug, Clone)]
pub(super) struct Writing {
    pub(super) message: String,
    pub(super) by: By,
    pub(super) model: Option<String>,
    pub(super) provider: Option<String>,
    /// Whether a thought came under the same id.
    pub(super) has_thought: bool,
}

impl Writing {
    pub(super) fn new(message: &str, by: By) -> Self {
        Self {
            message: message.to_owned(),
            by,
            model: None,
            provider: None,
            has_thought: false,
        }
    }

    pub(super) fn held(&self) -> usize {
        self.message.len() + self.by.agent.len()
    }
}

/// A message of the protocol.
pub(super) struct Said<'m> {
    /// The namespace, as a place in the checkpoints.
    pub(super) namespace: String,
    pub(super) data: &'m Value,
}
