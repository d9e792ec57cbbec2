//! The alerts that hold now, for those who ask.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Instant,
};

use serde_json::Value;

use super::{
    alert::Notice,
    board::{Board, BoardLimits},
    metrics::AlertMetrics,
};
use crate::access::authz::Audience;

/// Alerts that one answer lists.
const MAX_LISTED: usize = 1_000;

/// The alerts that hold now. All clones are one.
#[derive(Debug, Clone)]
pub struct ActiveAlerts(Arc<Mutex<Board>>);

impl ActiveAlerts {
    /// No alerts yet.
    pub fn new(limits: BoardLimits, metrics: AlertMetrics) -> Self {
        let board = Board::new(limits, metrics, Instant::now());
        Self(Arc::new(Mutex::new(board)))
    }

    /// The fields of the alerts about the server, and of those about runs that `may_see` lets through, the newest first;
    /// and the number of all of these.
    pub fn list(&self, may_see: impl Fn(&Audience) -> bool) -> (Vec<Value>, usize) {
        let (notices, total) = self.board().list(MAX_LISTED, may_see);
        let fields = notices.iter().map(Notice::fields);
        (fields.collect(), total)
    }

    /// The board, locked for moments only and never across an await.
    pub(super) fn board(&self) -> MutexGuard<'_, Board> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
