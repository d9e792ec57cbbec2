//! All counts at one time.

use std::{collections::BTreeMap, sync::Arc};

use super::{
    counts::{Counts, LastSeconds},
    hours::Hours,
    sessions::{Came, SessionTotals},
    top::Watch,
};
use crate::timestamp::Timestamp;

/// All counts at one time.
#[derive(Debug, Clone)]
pub struct Picture {
    /// The time of the picture.
    pub at: Timestamp,
    /// The hour since 1970 of the picture.
    pub hour: u32,
    /// The time from which on something is kept.
    pub kept_since: Timestamp,
    /// Live sessions.
    pub sessions: u64,
    /// Live users; each session without a user counts as one.
    pub users: u64,
    /// Sessions that did something or were sent something in the last minute.
    pub active: u64,
    /// Sessions that have lasted a minute, and neither flap nor are degraded.
    pub stable: u64,
    /// Sessions that are parked, or were in the last minute.
    pub degraded: u64,
    /// Clients whose connections flap.
    pub flapping: u64,
    /// The sessions by the hour.
    pub came: Hours<Came>,
    /// All sessions.
    pub totals: SessionTotals,
    /// The last seconds.
    pub seconds: LastSeconds,
    /// The other counts by the hour.
    pub counted: Hours<Counts>,
    /// All other counts.
    pub sum: Counts,
    /// The features that were used.
    pub features: BTreeMap<String, u64>,
    /// The types of events, most deliveries first.
    pub types: Vec<(Arc<str>, Watch)>,
    /// The rooms, most deliveries first.
    pub rooms: Vec<(Arc<str>, Watch)>,
}
