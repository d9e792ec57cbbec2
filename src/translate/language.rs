//! The languages that streams come in.

/// The language of a stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Language {
    /// The Agent User Interaction Protocol.
    AgUi,
    /// The UI message stream of Vercel's AI SDK.
    Vercel,
    /// The events of LangGraph: its streaming protocol (`version="v3"`), and `astream_events` (`version="v2"`).
    LangGraph,
}

impl Language {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::AgUi, Self::Vercel, Self::LangGraph];

    /// The first part of the names of messages that are kept as they are, and the counters' label.
    pub fn family(self) -> &'static str {
        match self {
            Self::AgUi => "agui",
            Self::Vercel => "vercel",
            Self::LangGraph => "langgraph",
        }
    }

    /// The name, for people.
    pub fn title(self) -> &'static str {
        match self {
            Self::AgUi => "AG-UI",
            Self::Vercel => "Vercel's UI message stream",
            Self::LangGraph => "LangGraph",
        }
    }
}
