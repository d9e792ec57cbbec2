//! Tells messages of streams from plain events.

use super::{Language, ag_ui, langgraph, vercel};
use crate::event::Object;

impl Language {
    /// Whether a plain event is a message of this language.
    pub fn speaks(self, message: &Object) -> bool {
        match self {
            Self::AgUi => ag_ui::speaks(message),
            Self::Vercel => vercel::speaks(message),
            Self::LangGraph => langgraph::speaks(message),
        }
    }

    /// The language in which a message begins a run, such that no plain event is meant.
    pub fn begun_by(message: &Object) -> Option<Self> {
        if ag_ui::begins(message) {
            Some(Self::AgUi)
        } else if vercel::begins(message) {
            Some(Self::Vercel)
        } else if langgraph::begins(message) {
            Some(Self::LangGraph)
        } else {
            None
        }
    }

    /// The language that a message may begin, if the one after it is of that language, too.
    pub fn perhaps_begun_by(message: &Object) -> Option<Self> {
        vercel::perhaps_begins(message).then_some(Self::Vercel)
    }
}
