//! What can be seen of the server from outside: counters, histograms, logs.

pub mod exposition;
pub mod log;
mod metrics;
mod state;

pub use metrics::Metrics;
pub use state::StateMetrics;
