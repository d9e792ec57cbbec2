//! Counters, histograms and logs: the server as it is seen from outside.

mod analytics;
mod bodies;
mod compression;
mod count;
mod counting;
pub mod exposition;
mod journal;
pub mod log;
mod marks;
mod metrics;
mod names;
mod stall;
pub mod traces;
pub mod usage;

pub use bodies::BodyMetrics;
pub use compression::CompressionMetrics;
pub use journal::JournalMetrics;
pub use marks::is_unfit_for_lines;
pub use metrics::Metrics;
pub use usage::Usage;
