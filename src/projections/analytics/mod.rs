//! Analytics: what the counts of sessions, messages and updates add up to, and their way over a restart.

mod keep;
mod patterns;
mod report;

pub use keep::{keep, restore, save};
pub use patterns::MessageFlow;
pub use report::{Report, WatchedRoom, reconnections};
