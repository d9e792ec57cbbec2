//! Projections: each folds the events of the stream into something that clients can ask for.

pub mod analytics;
mod fair;
mod qualified;
pub mod seneca;
pub mod state;
