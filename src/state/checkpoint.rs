//! The state over a restart: what was saved, and what the journal has beyond it.
//!
//! The one who saves is another reader of the journal with a state of its own: the live stream never waits for it, and a
//! saved state is by construction what the events up to its place give.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use super::{Limits, State};
use crate::journal::{Journal, JournalError, Seq};

/// Events that a start has to fold at the most, but for those of the last moments.
const EVERY: u64 = 20_000;
/// How long something new may stay unsaved.
const AT_LEAST: Duration = Duration::from_secs(30);
/// How often the journal is looked at: often enough that what is new is still at hand there.
const LOOK: Duration = Duration::from_millis(200);
const READ: usize = 1_024;

/// The state at the journal's end, within these limits.
///
/// # Errors
/// The journal can't be read.
pub async fn restore(journal: &dyn Journal, limits: &Limits) -> Result<(State, Seq), JournalError> {
    let saved = journal.load_checkpoint().await?;
    let (mut state, mut at) = match saved {
        Some((seq, text)) => match State::from_checkpoint(&text, limits) {
            Some(state) => (state, seq),
            None => {
                tracing::warn!(
                    "the saved state is of another version; it is made anew from the journal"
                );
                (State::new(limits.clone()), 0)
            }
        },
        None => (State::new(limits.clone()), 0),
    };
    // Whose things are was perhaps said before the first event that is still there.
    if at == 0 && journal.bounds().first > 1 {
        state.belongings().lack_the_past();
    }
    catch_up(journal, &mut state, &mut at).await?;
    Ok((state, at.max(journal.bounds().last)))
}

/// Saves the state from time to time; never returns unless the journal keeps no states.
pub async fn keep(journal: Arc<dyn Journal>, limits: Limits) {
    if !journal.keeps_checkpoints() {
        return;
    }
    let Ok((mut state, mut at)) = restore(&*journal, &limits).await else {
        tracing::error!(
            "the journal can't be read: no state is saved, and a start will take longer"
        );
        return;
    };
    let (mut saved, mut saved_at) = (0, Instant::now());
    loop {
        tokio::time::sleep(LOOK).await;
        if let Err(error) = catch_up(&*journal, &mut state, &mut at).await {
            tracing::warn!(%error, "the journal can't be read to save the state; trying again");
            continue;
        }
        let due = at - saved >= EVERY || (at > saved && saved_at.elapsed() >= AT_LEAST);
        if !due {
            continue;
        }
        // All of the state as text is work: the threads of the stream are not held up by it.
        let made = tokio::task::spawn_blocking(move || (state.to_checkpoint(), state)).await;
        let Ok((text, back)) = made else { return };
        state = back;
        if journal.save_checkpoint(at, text).await.is_ok() {
            saved = at;
        }
        saved_at = Instant::now();
    }
}

async fn catch_up(
    journal: &dyn Journal,
    state: &mut State,
    at: &mut Seq,
) -> Result<(), JournalError> {
    loop {
        let batch = journal.read(*at, READ).await?;
        if batch.is_end(*at) {
            return Ok(());
        }
        *at = batch.to;
        for record in &batch.records {
            state.apply(&record.event);
        }
        // There may be a great deal: others have their turn.
        tokio::task::yield_now().await;
    }
}
