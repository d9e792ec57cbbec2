//! Events: the canonical [`Event`], and the dialects that are turned into it.
//!
//! Every door hands raw JSON to [`parse`](fn@parse) and gets one `Event` or one [`Error`](crate::error::Error). No code
//! behind the doors sees a producer's own dialect.

mod canonical;
mod check;
mod content;
mod dialect;
mod emitted;
mod fields;
mod foreign;
mod ids;
mod length;
pub mod lenient;
mod meant;
mod mint;
mod name;
mod named;
mod numeral;
mod parse;
mod priority;
mod raw;
mod settled;
mod stored;
#[cfg(test)]
mod tests;
mod thing;
mod tidy;
mod weight;

use serde_json::{Map, Value};

pub use canonical::{Dialect, Event};
pub use check::{check, elements_exceed, family_label};
pub use content::id_for_conflict;
pub(crate) use fields::read_timestamp;
pub use foreign::free_id_key;
pub use ids::Ids;
pub use length::ids_fit;
pub use mint::mint_id;
pub use name::{EventName, folded};
pub use named::Owner;
pub use numeral::id_of;
pub use parse::parse;
pub use priority::Priority;
pub use raw::ParseContext;
pub use settled::{Candidates, Kinds, Owned, Settled};
pub use thing::ThingKind;
pub use tidy::{Tidied, tidy};
pub use weight::{held_by_object, json_len};

/// A JSON object, as producers send it and observers get it.
pub type Object = Map<String, Value>;
