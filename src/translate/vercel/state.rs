//! The state of a stream.

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
pub(in crate::translate) struct Vercel {
    pub(super) agent: String,
    /// The run that is named beside the stream.
    pub(super) named: Option<String>,
    pub(super) thread: Option<String>,
    pub(super) run: Option<Run>,
    /// Open texts by the id of their part.
    pub(super) texts: Open<Text>,
    /// Calls without an answer, each with the tool's name.
    pub(super) calls: Open<String>,
    /// Whether the next part is the first of a body.
    pub(super) is_first: bool,
}

/// A text that is written.
#[derive(Debug, Clone)]
pub(super) struct Text {
    /// The id of its message.
    pub(super) message: String,
    /// Its kind: `text` or `reasoning`.
    pub(super) kind: &'static str,
}

/// The run that goes on, or the last one.
#[derive(Debug, Clone)]
pub(super) struct Run {
    pub(super) id: String,
    pub(super) is_over: bool,
    /// Steps so far.
    pub(super) steps: u64,
    pub(super) is_in_step: bool,
    /// Texts and files so far: the ids of parts repeat.
    pub(super) parts: u64,
}

impl Vercel {
    pub(in crate::translate) fn new(context: &StreamContext, limits: TranslatorLimits) -> Self {
        let agent = context.agent.as_ref().or(context.thread.as_ref());
        Self {
            agent: agent.map_or_else(|| "assistant".to_owned(), ToString::to_string),
            named: context.run.as_deref().map(str::to_owned),
            thread: context.thread.as_deref().map(str::to_owned),
            run: None,
            texts: Open::new(limits.open),
            calls: Open::new(limits.open),
            is_first: true,
        }
    }

    /// The next part is the first of a body.
    pub(in crate::translate) fn begin_body(&mut self) {
        self.is_first = true;
    }

    /// Whether a start is that of a stream within this one, which goes on.
    pub(super) fn is_inner_start(&self, message: &Object) -> bool {
        let own = text(message, "messageId");
        let run = self.run.as_ref().filter(|run| !run.is_over);
        run.is_some_and(|run| own.is_none_or(|own| own == run.id))
    }

    /// Keeps a part as it is.
    pub(super) fn keep(&self, kind: &str, message: Object, out: &mut Output<'_>) {
        let run = self.run.as_ref().map(|run| run.id.as_str());
        out.keep(kind, message, run);
    }

    pub(super) fn by(&self) -> By {
        let run = self.run.as_ref().map(|run| run.id.clone());
        By {
            agent: self.agent.clone(),
            task: run.clone(),
            run,
        }
    }

    pub(in crate::translate) fn is_open(&self) -> bool {
        self.run.as_ref().is_some_and(|run| !run.is_over)
    }

    pub(in crate::translate) fn held(&self) -> usize {
        self.texts.held(|text| text.message.len()) + self.calls.held(String::len)
    }

    pub(in crate::translate) fn take_forgotten(&mut self) -> LostParts {
        LostParts {
            open: self.texts.take_forgotten() + self.calls.take_forgotten(),
            pieces: 0,
        }
    }
}
