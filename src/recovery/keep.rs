//! Keeps sessions in the journal's file, so that they outlive the process.

use std::sync::Arc;

use super::Sessions;
use crate::journal::{Journal, JournalError};

/// Bytes of sessions that are written at a time.
const BATCH_BYTES: usize = 256 << 10;

/// Takes in the sessions that the journal has.
///
/// # Errors
/// The journal can't be read.
pub async fn restore(journal: &dyn Journal, sessions: &Sessions) -> Result<(), JournalError> {
    sessions.fill(journal.load_sessions().await?);
    Ok(())
}

/// Writes each change into the journal, those that come together in one transaction; never returns. A change that can't be
/// written is lost: its client connects anew after a restart.
pub async fn keep(journal: Arc<dyn Journal>, sessions: Arc<Sessions>) {
    let mut has_failed = false;
    loop {
        sessions.changed.notified().await;
        loop {
            let (changes, last) = sessions.take_changes(BATCH_BYTES);
            let written = match changes.is_empty() {
                true => Ok(()),
                false => journal.save_sessions(changes).await,
            };
            if let Err(error) = &written {
                sessions.metrics().unsaved();
                if !std::mem::replace(&mut has_failed, true) {
                    tracing::warn!(%error, "sessions can't be kept: clients that come back after a restart connect anew");
                }
            } else {
                has_failed = false;
            }
            if let Some(last) = last {
                sessions.kept.send_replace(last);
                break;
            }
        }
    }
}
