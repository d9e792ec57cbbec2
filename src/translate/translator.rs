//! The state of one stream.

use serde_json::Value;

use super::{
    Language, LostParts, StreamContext, Translation, TranslatorLimits, ag_ui::AgUi,
    langgraph::LangGraph, numbering::Numbering, output::Output, vercel::Vercel,
};
use crate::{error::Error, event::Object};

/// The state of one stream.
#[derive(Debug, Clone)]
pub struct Translator {
    language: Language,
    context: StreamContext,
    numbering: Numbering,
    state: State,
}

#[derive(Debug, Clone)]
enum State {
    AgUi(Box<AgUi>),
    Vercel(Box<Vercel>),
    LangGraph(Box<LangGraph>),
}

impl Translator {
    /// A stream in which nothing was said yet.
    pub fn new(language: Language, context: StreamContext, limits: TranslatorLimits) -> Self {
        let state = match language {
            Language::AgUi => State::AgUi(Box::new(AgUi::new(&context, limits))),
            Language::Vercel => State::Vercel(Box::new(Vercel::new(&context, limits))),
            Language::LangGraph => State::LangGraph(Box::new(LangGraph::new(limits))),
        };
        Self {
            language,
            context,
            numbering: Numbering::default(),
            state,
        }
    }

    /// A body begins, which may have a number within its thread: a stream that is begun in its first message is none within
    /// another.
    pub fn begin_body(&mut self, number: Option<u64>) {
        self.numbering
            .begin_body(self.language, &self.context, number);
        if let State::Vercel(state) = &mut self.state {
            state.begin_body();
        }
    }

    /// The language of the stream.
    pub fn language(&self) -> Language {
        self.language
    }

    /// The events of the next message.
    ///
    /// # Errors
    /// The message is none of this language, or lacks what it is about. Nothing has changed then.
    pub fn read(&mut self, message: Value) -> Result<Translation, Error> {
        let Value::Object(message) = message else {
            return Err(Error::new(
                "unknown_shape",
                format!("a message of {} is a JSON object", self.language.title()),
            ));
        };
        let mut output = Output::new(self.language, &self.context, &mut self.numbering);
        match &mut self.state {
            State::AgUi(state) => state.read(message, &mut output)?,
            State::Vercel(state) => state.read(message, &mut output)?,
            State::LangGraph(state) => state.read(message, &mut output)?,
        }
        Ok(output.finish())
    }

    /// The events that follow from the end of the stream, where the language has no word for it.
    pub fn end(&mut self) -> Vec<Object> {
        let mut output = Output::new(self.language, &self.context, &mut self.numbering);
        if let State::LangGraph(state) = &mut self.state {
            state.end(&mut output);
        }
        output.finish().events
    }

    /// Whether a run goes on.
    pub fn is_open(&self) -> bool {
        match &self.state {
            State::AgUi(state) => state.is_open(),
            State::Vercel(state) => state.is_open(),
            State::LangGraph(state) => state.is_open(),
        }
    }

    /// Whether nothing was said yet that a later message could need.
    pub fn is_empty(&self) -> bool {
        match &self.state {
            State::AgUi(state) => state.is_empty(),
            State::Vercel(state) => !state.is_open(),
            State::LangGraph(state) => state.is_empty(),
        }
    }

    /// About how many bytes it holds.
    pub fn held(&self) -> usize {
        let state = match &self.state {
            State::AgUi(state) => state.held(),
            State::Vercel(state) => state.held(),
            State::LangGraph(state) => state.held(),
        };
        size_of::<Self>() + state
    }

    /// The things that were dropped since this was last asked.
    pub fn take_forgotten(&mut self) -> LostParts {
        match &mut self.state {
            State::AgUi(state) => state.take_forgotten(),
            State::Vercel(state) => state.take_forgotten(),
            State::LangGraph(state) => state.take_forgotten(),
        }
    }
}
