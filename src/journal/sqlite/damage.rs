//! Damaged places of the file: each is counted once, and logged once.

use std::{
    collections::BTreeSet,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};

use rusqlite::ErrorCode;

use crate::{journal::Seq, observe::JournalMetrics};

/// Damaged places that are remembered: beyond them, each read counts.
const TOLD_APART: usize = 10_000;

#[derive(Debug)]
pub(super) struct Damage {
    /// The first places of the damage, because readers find it again and again.
    known: Mutex<BTreeSet<Seq>>,
    /// Events that can't be read.
    count: AtomicU64,
    metrics: JournalMetrics,
}

impl Damage {
    pub(super) fn new(metrics: JournalMetrics) -> Self {
        Self {
            known: Mutex::default(),
            count: AtomicU64::new(0),
            metrics,
        }
    }

    /// Notes that so many events from `seq` on can't be read.
    pub(super) fn found(&self, seq: Seq, events: u64) {
        let first = {
            let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
            if known.contains(&seq) {
                return;
            }
            if known.len() < TOLD_APART {
                known.insert(seq);
            }
            known.len() == 1
        };
        self.count.fetch_add(events, Ordering::Relaxed);
        self.metrics.damaged.inc_by(events);
        if first {
            tracing::error!(
                seq,
                events,
                "an event in the journal is damaged and passed over, as any other will be; `stoa repair` says which and makes a copy without them"
            );
        }
    }

    pub(super) fn count(&self) -> u64 {
        self.count.load(Ordering::Relaxed)
    }
}

/// Whether an error comes from the contents of the file, so that it comes again at each read.
pub(super) fn is_damage(error: &rusqlite::Error) -> bool {
    matches!(
        error.sqlite_error_code(),
        Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase)
    ) || matches!(
        error,
        rusqlite::Error::InvalidColumnType(..)
            | rusqlite::Error::FromSqlConversionFailure(..)
            | rusqlite::Error::IntegralValueOutOfRange(..)
            | rusqlite::Error::Utf8Error(..)
    )
}
