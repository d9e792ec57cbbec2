//! Projections: each folds the events of the stream into something that can be asked for.

mod fair;
mod qualified;
pub mod seneca;
pub mod state;
