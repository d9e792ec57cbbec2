//! The figures by which the health is judged.

/// The share of a limit from which an issue warns.
pub(super) const NEAR_LIMIT: f64 = 0.9;
/// Fewer attempts or times than this say nothing.
pub(super) const MIN_COUNT: u64 = 20;

/// The figures that are judged.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Vitals {
    /// From accepted to written in milliseconds, on average and for 95 of 100; `None` while nothing was delivered.
    pub latency_ms: Option<(f64, f64)>,
    /// For each priority, most urgent first: deliveries, and the share of them within the budget.
    pub within_budget: [(u64, f64); 4],
    /// Attempts of clients and producers that were accepted or that the server failed at, and the share of the accepted ones.
    pub success: (u64, f64),
    /// Open connections, and how many there may be.
    pub connections: (u64, u64),
    /// Observers that are caught up, and observers in all.
    pub behind: (u64, u64),
    /// Events that the hub has not sent, and the number from which producers wait.
    pub hub_lag: (u64, u64),
    /// The reason why no event can be kept now.
    pub journal_trouble: Option<String>,
    /// Events of the journal that can't be read.
    pub journal_damaged: u64,
    /// Bytes of the journal, and how many it may have.
    pub journal_bytes: (u64, u64),
    /// Bytes of the state, and how many it may have.
    pub state_bytes: (u64, u64),
    /// The identity provider's keys, where it is asked for any.
    pub keys: Keys,
    /// The breakers that are not closed.
    pub breakers: Vec<OpenBreaker>,
    /// The step of degradation, with its name.
    pub degradation: (u8, String),
    /// Sessions of the last day, and the share of them whose clients came back soon after they had lost their connection.
    pub reconnections: (u64, Option<f64>),
}

/// The state of an identity provider's keys.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Keys {
    /// Nobody needs keys, or they are fresh.
    #[default]
    Good,
    /// The last fetch failed; the last good keys are in use.
    Stale,
    /// No keys ever came: nobody can be let in by them.
    Missing,
}

/// A breaker that is not closed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OpenBreaker {
    /// The part behind it.
    pub name: String,
    /// Whether calls are let through to try the part.
    pub is_half_open: bool,
}

/// The part of a whole; 0 where the whole is none.
pub(super) fn share((part, whole): (u64, u64)) -> f64 {
    match whole {
        0 => 0.0,
        _ => part as f64 / whole as f64,
    }
}
