//! The updates that only Seneca's own pages know: the Vue log and the `/conversations` page, unchanged.
//!
//! [`plan`] says which of them an event gives and [`SenecaKind`] writes them; it reads one event and keeps nothing.
//!
//! Invariants: `source`, `target` and `message` are always strings (a page throws on anything else). Nothing here fails: a
//! key that is missing or has another type is read as absent.

pub(crate) mod analysis;
mod conversation;
mod filter;
mod kind;
pub(crate) mod read;
pub(crate) mod reading;
#[cfg(test)]
pub(crate) mod testing;
pub(crate) mod words;
pub use conversation::{ConversationEvent, conversation_fields};
pub use filter::ConversationFilter;
pub use kind::{SenecaKind, TypeField, plan};
pub(crate) use read::{confidence, decision_text};
pub use reading::health_fields;
