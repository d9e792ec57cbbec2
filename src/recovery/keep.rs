//! Keeps sessions in the journal's file, so that they outlive the process.

use std::{sync::Arc, time::Duration};

use super::{ClaimLimits, Sessions};
use crate::journal::{Journal, JournalError};

/// Bytes of sessions that are written at a time.
const BATCH_BYTES: usize = 256 << 10;
/// The time between two writings of the sessions of live clients where nodes share a journal: what no node writes for as
/// long as [`UNWRITTEN`] is nobody's.
const REFRESH_INTERVAL: Duration = Duration::from_secs(1_800);
/// The time after which a session in a shared journal is nobody's.
pub const UNWRITTEN: Duration = Duration::from_secs(7_200);

/// Takes in the sessions that the journal has of this node; those of other nodes are claimed when their clients come.
///
/// # Errors
/// The journal can't be read.
pub async fn restore(
    journal: &Arc<dyn Journal>,
    sessions: &Sessions,
    limits: ClaimLimits,
) -> Result<(), JournalError> {
    sessions.fill(journal.load_sessions().await?);
    if journal.is_shared() {
        sessions.share(journal.clone(), limits);
    }
    Ok(())
}

/// Writes each change into the journal, those that come together in one transaction; never returns. A change that can't be
/// written is lost: its client connects anew after a restart.
pub async fn keep(journal: Arc<dyn Journal>, sessions: Arc<Sessions>) {
    let mut has_failed = false;
    let mut refresh = tokio::time::interval(REFRESH_INTERVAL);
    loop {
        tokio::select! {
            () = sessions.changed.notified() => {}
            _ = refresh.tick(), if journal.is_shared() => sessions.note_living(),
        }
        loop {
            let (changes, last) = sessions.take_changes(BATCH_BYTES);
            let written = match changes.is_empty() {
                true => Ok(Vec::new()),
                false => journal.save_sessions(changes).await,
            };
            match written {
                Ok(claimed) => {
                    has_failed = false;
                    sessions.lose(&claimed);
                }
                Err(error) => {
                    sessions.metrics().unsaved();
                    if !std::mem::replace(&mut has_failed, true) {
                        tracing::warn!(%error, "sessions can't be kept: clients that come back after a restart connect anew");
                    }
                }
            }
            if let Some(last) = last {
                sessions.kept.send_replace(last);
                break;
            }
        }
    }
}
