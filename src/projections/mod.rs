//! What the stream adds up to: each projection folds the events into something that can be asked for.

pub mod seneca;
pub mod state;
