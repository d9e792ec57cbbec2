//! Texts of agents, as their events tell them: what is said or thought, piece by piece, and whether a text is whole. A line
//! of Marcus' conversation is a whole text.

use serde_json::Value;

use super::status::within;
use crate::event::{Event, Object};

/// Marcus' own name: he talks with each of his workers.
pub(super) const MARCUS: &str = "marcus";

/// The word for a text that an agent thinks.
pub(super) const REASONING: &str = "reasoning";

/// The turn of a text that an event tells: its begin, a piece of it, or its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Turn {
    Started,
    Appended,
    Completed,
}

/// The turn that an event tells; none for events that are about no text.
pub(super) fn turn(event: &Event) -> Option<Turn> {
    let rest = event.name.canonical().strip_prefix("agent.")?;
    let turn = rest
        .strip_prefix("message.")
        .or_else(|| rest.strip_prefix("reasoning."))?;
    match turn {
        "started" => Some(Turn::Started),
        "appended" => Some(Turn::Appended),
        "completed" => Some(Turn::Completed),
        _ => None,
    }
}

/// A line of Marcus' conversation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Line {
    /// A worker tells Marcus.
    ToMarcus,
    /// Marcus tells a worker.
    ToWorker,
    /// Marcus thinks.
    Thought,
}

/// The line that an event is; none for other events.
pub(super) fn line(event: &Event) -> Option<Line> {
    match event.name.canonical() {
        "worker.communication" => {
            let kind = event.data.get("conversation_type").and_then(Value::as_str);
            let by_worker = kind.is_some_and(|kind| kind.contains("worker_to_pm"));
            Some(if by_worker {
                Line::ToMarcus
            } else {
                Line::ToWorker
            })
        }
        "pm.thinking" => Some(Line::Thought),
        _ => None,
    }
}

impl Line {
    /// The speaker and the listener. A thought is for nobody.
    pub(super) fn ends(self, worker: Option<&str>) -> (Option<&str>, Option<&str>) {
        match self {
            Self::ToMarcus => (worker, Some(MARCUS)),
            Self::ToWorker => (Some(MARCUS), worker),
            Self::Thought => (Some(MARCUS), None),
        }
    }

    /// The key of its text.
    pub(super) fn text(self) -> &'static str {
        match self {
            Self::Thought => "thought",
            Self::ToMarcus | Self::ToWorker => "message",
        }
    }
}

/// Whether an agent thinks the text: the event's name says it, or its data.
pub(super) fn is_reasoning(event: &Event, data: &Object) -> bool {
    let named = event.name.canonical().starts_with("agent.reasoning.");
    let thought = line(event) == Some(Line::Thought);
    named
        || thought
        || within(data, &["message"], "kind").and_then(Value::as_str) == Some(REASONING)
}

/// Whether the text is whole with this event.
pub(super) fn is_final(event: &Event, data: &Object) -> bool {
    let said = within(data, &["message"], "final") == Some(&Value::Bool(true));
    said || turn(event) == Some(Turn::Completed) || line(event).is_some()
}

/// The name space of keys in which pieces of text are joined: what is said and what is thought are two texts, and events
/// of two names stay apart.
pub(super) fn key_space(event: &Event) -> &'static str {
    match event.name.canonical() {
        "agent.reasoning.appended" => REASONING,
        _ if is_reasoning(event, &event.data) => "text.reasoning",
        _ => "text",
    }
}
