//! What can be seen of the server from outside: counters, histograms, logs.

mod metrics;

pub use metrics::Metrics;
