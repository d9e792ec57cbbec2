//! What other systems tell of their agents, turned into events: pure, without a transport.
//!
//! Spans of OpenTelemetry ([`otlp`]) and hooks of Claude ([`claude`]) have folders and memories of their own. All others are
//! streams. Each system's own folder knows its shapes. A [`Translator`] is the state of one stream: it reads one message after the
//! other and gives the events that each becomes, in the vocabulary of `docs/events.md`. A message that has no event of its
//! own is kept as it is, under a name that gives no update (`agui.state_snapshot`), so that the history has all of it.

mod ag_ui;
pub mod claude;
mod context;
mod fields;
mod langgraph;
mod language;
mod limits;
mod numbering;
mod open;
pub mod otlp;
mod output;
mod recognise;
#[cfg(test)]
mod tests;
mod told;
mod translator;
mod vercel;
mod words;

pub use context::StreamContext;
pub use language::Language;
pub use limits::{LostParts, TranslatorLimits};
pub use output::{Translation, Treatment};
pub use told::Told;
pub use translator::Translator;
pub use words::{Words, one_line, slug};
