//! The state of a stream.

use super::things::{Call, Message, Paused, Run, Subagent};
use crate::{
    event::Object,
    translate::{
        LostParts, StreamContext, TranslatorLimits,
        fields::text,
        open::Open,
        output::{By, Output},
    },
};

/// The state of a stream.
#[derive(Debug, Clone)]
pub(in crate::translate) struct AgUi {
    /// The agent that is named beside the stream.
    pub(super) agent: Option<String>,
    /// The conversation, whose agent it is otherwise.
    pub(super) thread: Option<String>,
    pub(super) run: Option<Run>,
    /// The run that waits for answers.
    pub(super) paused: Option<Paused>,
    pub(super) subagents: Open<Subagent>,
    pub(super) messages: Open<Message>,
    pub(super) calls: Open<Call>,
    pub(super) limits: TranslatorLimits,
    /// Pieces of arguments that were dropped.
    pub(super) pieces: u64,
}

impl AgUi {
    pub(in crate::translate) fn new(context: &StreamContext, limits: TranslatorLimits) -> Self {
        Self {
            agent: context.agent.as_deref().map(str::to_owned),
            thread: context.thread.as_deref().map(str::to_owned),
            run: None,
            paused: None,
            subagents: Open::new(limits.open),
            messages: Open::new(limits.open),
            calls: Open::new(limits.open),
            limits,
            pieces: 0,
        }
    }

    /// Keeps a message as it is.
    pub(super) fn keep(&self, kind: &str, message: Object, out: &mut Output<'_>) {
        let run = self.run.as_ref().map(|run| run.id.as_str());
        out.keep(&kind.to_ascii_lowercase(), message, run);
    }

    /// The agent that a message is of, with its task.
    pub(super) fn by(&self, message: &Object) -> By {
        self.by_subagent(text(message, "subagentRunId"))
    }

    pub(super) fn by_subagent(&self, subagent: Option<&str>) -> By {
        let run = self.run.as_ref().map(|run| run.id.clone());
        match subagent.filter(|id| !id.is_empty()) {
            None => By {
                agent: self.main_agent(),
                task: run.clone(),
                run,
            },
            Some(id) => By {
                // One whose beginning was not seen has no name.
                agent: self
                    .subagents
                    .get(id)
                    .map_or_else(|| id.to_owned(), |known| known.agent.clone()),
                task: Some(id.to_owned()),
                run,
            },
        }
    }

    /// The agent whose stream it is.
    pub(super) fn main_agent(&self) -> String {
        let named = self.agent.as_ref().or(self.thread.as_ref());
        named.map_or_else(|| "assistant".to_owned(), Clone::clone)
    }

    pub(in crate::translate) fn is_open(&self) -> bool {
        self.run.as_ref().is_some_and(|run| !run.is_over)
    }

    pub(in crate::translate) fn is_empty(&self) -> bool {
        self.run.is_none() && self.paused.is_none() && self.held() == 0
    }

    pub(in crate::translate) fn held(&self) -> usize {
        self.subagents.held(|subagent| subagent.agent.len())
            + self.messages.held(|_| 0)
            + self.calls.held(|call| call.name.len() + call.args.len())
            + self.paused.as_ref().map_or(0, Paused::held)
    }

    pub(in crate::translate) fn take_forgotten(&mut self) -> LostParts {
        LostParts {
            open: self.subagents.take_forgotten()
                + self.messages.take_forgotten()
                + self.calls.take_forgotten(),
            pieces: std::mem::take(&mut self.pieces),
        }
    }
}
