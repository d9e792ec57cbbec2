//! Alerts: what operators are told without asking.
//!
//! ```text
//!  figures, each second ─┐            ┌─▶ the log
//!                        ├─▶ board ───┼─▶ operators (`health_update`, by the hub)
//!  journal: runs ────────┘  begins,   └─▶ webhook: queue ─▶ signed posts, retried, behind a breaker
//!                           repeats,
//!                           ends
//! ```
//!
//! An alert begins once, is told again only after a long time, and says when it is over. The board is plain data; it is
//! bounded, each producer has its share of it, and time is a parameter. The watcher reads the journal on its own: the hub's loop does nothing for it.

mod active;
mod alert;
mod board;
mod figures;
mod metrics;
mod minute;
mod poster;
mod runs;
mod teller;
mod waiting;
mod watcher;
mod webhook;

pub use active::ActiveAlerts;
pub use alert::{Alert, Notice, Severity, Status, Subject};
pub use board::BoardLimits;
pub use figures::{Readings, Thresholds, Used};
pub use metrics::AlertMetrics;
pub use minute::MinuteLimits;
pub use teller::Teller;
pub use watcher::{AlertOptions, Watcher};
pub use webhook::{LastPosts, Webhook, WebhookOptions};
