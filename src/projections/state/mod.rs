//! The current state (contract §5), folded from the events in the journal's order.
//!
//! Each entity is a JSON object that later facts are laid over: a producer's word on an agent is kept even if Stoa
//! doesn't know it. The same events in the same order always give the same state.
//!
//! ```text
//!  event ─▶ fold ─▶ State ─▶ Picture (costs nothing, stays as it is) ─▶ Walk (what one client sees, piece by piece)
//!                     └ bounded in entities and bytes; the project that holds most forgets first
//! ```

mod age;
mod agent;
mod calls;
pub mod checkpoint;
mod entities;
mod entity;
mod facts;
mod fold;
mod folded;
mod former;
mod given;
mod health;
mod inputs;
mod json;
mod limits;
mod meant;
mod metrics;
mod model;
mod names;
mod picture;
mod plans;
mod questions;
mod running;
mod runs;
mod saved;
mod snapshot;
mod store;
#[cfg(test)]
mod tests;
mod usage;
mod walk;

pub use folded::State;
pub use limits::{Dropped, Evicted, Limits};
pub(crate) use metrics::StateMetrics;
pub use picture::Picture;
pub(crate) use questions::{Asker, Question, QuestionStatus};
pub use running::{Run, Running};
pub use snapshot::{Snapshot, Text};
pub use walk::Walk;
