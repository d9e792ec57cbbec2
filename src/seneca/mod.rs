//! What Seneca's own pages need: the Vue log, the `/conversations` page and the pipeline dashboard, unchanged.
//!
//! Two halves. [`plan`] says which of the pages' own updates an event gives and [`SenecaKind`] writes them; it reads one
//! event and keeps nothing. [`Desk`] folds the stream into the counts, flows and health that the pages ask for.
//!
//! Invariants: `source`, `target` and `message` are always strings (a page throws on anything else); everything kept is
//! bounded; every number comes out of the stream. Nothing here fails: a key that is missing or has another type is read as absent.

mod conversation;
mod desk;
mod filter;
mod kind;
mod read;
mod recipients;
#[cfg(test)]
mod testing;
mod words;

pub use conversation::{ConversationEvent, conversation_fields};
pub use desk::{Changes, Desk, Forgotten, health_fields};
pub use filter::ConversationFilter;
pub use kind::{SenecaKind, TypeField, plan};
pub(crate) use read::{confidence, decision_text};
pub use recipients::Recipients;
