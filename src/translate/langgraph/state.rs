//! The state of a stream.

use super::things::{NodeTask, Root, Run, Writing};
use crate::translate::{LostParts, TranslatorLimits, open::Open};

/// The state of a stream.
#[derive(Debug, Clone)]
pub(in crate::translate) struct LangGraph {
    /// Root graphs of `astream_events` that run or wait.
    pub(super) roots: Open<Root>,
    /// The run of the streaming protocol.
    pub(super) run: Option<Run>,
    /// Tasks of nodes that are not over, by their place in the checkpoints.
    pub(super) tasks: Open<NodeTask>,
    /// Messages that are written, by the model's run or by the namespace.
    pub(super) texts: Open<Writing>,
}

impl LangGraph {
    pub(in crate::translate) fn new(limits: TranslatorLimits) -> Self {
        Self {
            roots: Open::new(limits.open),
            run: None,
            tasks: Open::new(limits.open),
            texts: Open::new(limits.open),
        }
    }

    pub(in crate::translate) fn is_open(&self) -> bool {
        // One that waits has still to say so.
        self.roots.iter().next().is_some() || self.run.as_ref().is_some_and(Run::is_open)
    }

    pub(in crate::translate) fn is_empty(&self) -> bool {
        self.run.is_none() && self.roots.iter().next().is_none()
    }

    pub(in crate::translate) fn held(&self) -> usize {
        self.roots.held(Root::held)
            + self.tasks.held(NodeTask::held)
            + self.texts.held(Writing::held)
    }

    pub(in crate::translate) fn take_forgotten(&mut self) -> LostParts {
        LostParts {
            open: self.roots.take_forgotten()
                + self.tasks.take_forgotten()
                + self.texts.take_forgotten(),
            pieces: 0,
        }
    }
}
