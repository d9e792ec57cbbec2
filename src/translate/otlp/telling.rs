//! Events on their way out: who tells them, and of which span.

use std::sync::Arc;

use super::{hex, meaning::Fault, span::SpanKey};
use crate::translate::{Told, Words};

/// Events and the spans that gave them.
pub(super) type Events = Vec<(Told, SpanKey)>;

/// Collects the events that a span gives, in its project and by its program.
#[derive(Debug)]
pub(super) struct Teller<'t> {
    pub(super) project: Arc<str>,
    pub(super) source: Arc<str>,
    pub(super) words: Words,
    pub(super) events: &'t mut Events,
}

impl Teller<'_> {
    /// An event of the program.
    pub(super) fn event(&self, name: &'static str) -> Told {
        Told::new(name).of(&self.project, &self.source)
    }

    pub(super) fn tell(&mut self, event: Told, span: SpanKey) {
        self.events.push((event, span));
    }

    /// The same event with an error.
    pub(super) fn fault(&self, event: Told, fault: &Fault) -> Told {
        let kind = fault.kind.as_deref();
        let message = self.words.cut(&fault.message);
        let message = message.or_else(|| kind.map(str::to_owned));
        event
            .with("error", message.unwrap_or_else(|| "failed".into()))
            .with_some("error_type", kind)
    }
}

/// The id of an event that a span gives: a span that is sent again gives the same.
pub(super) fn event_id(span: SpanKey, what: &str) -> String {
    format!("otel:{}:{what}", hex::span_text(span))
}
