//! What can be seen of the server from outside: counters, histograms, logs.

mod bodies;
mod desk;
pub mod exposition;
mod journal;
pub mod log;
mod metrics;
mod state;

pub use bodies::BodyMetrics;
pub use desk::DeskMetrics;
pub use journal::JournalMetrics;
pub use metrics::Metrics;
pub use state::StateMetrics;
