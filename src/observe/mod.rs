//! What can be seen of the server from outside: counters, histograms, logs.

mod bodies;
mod count;
pub mod exposition;
mod journal;
pub mod log;
mod metrics;
mod names;
mod stall;

pub use bodies::BodyMetrics;
pub use journal::JournalMetrics;
pub use metrics::Metrics;
