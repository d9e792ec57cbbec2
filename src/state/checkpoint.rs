//! The state over a restart: what was saved, and what the journal has beyond it.
//!
//! The one who saves is another reader of the journal with a state of its own: the live stream never waits for it, and a
//! saved state is by construction what the events up to its place give.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use super::{Limits, State};
use crate::{
    journal::{Journal, JournalError, Seq},
    ledger::{Ledger, SavedLedger},
};

/// Events that a start has to fold at the most, but for those of the last moments.
const EVERY: u64 = 20_000;
/// How long something new may stay unsaved.
const AT_LEAST: Duration = Duration::from_secs(30);
/// How often the journal is looked at: often enough that what is new is still at hand there.
const LOOK: Duration = Duration::from_millis(200);
const READ: usize = 1_024;

/// The state and the ledger at the journal's end, within these limits.
///
/// # Errors
/// The journal can't be read.
pub async fn restore(
    journal: &dyn Journal,
    limits: &Limits,
) -> Result<(State, Ledger, Seq), JournalError> {
    let saved = journal.load_checkpoint().await?;
    let new = || (State::new(limits.clone()), Ledger::new(limits.max_known));
    let ((mut state, ledger), mut at) = match saved {
        Some((seq, text)) => match read(&text, limits) {
            Some(saved) => (saved, seq),
            None => {
                tracing::warn!(
                    "the saved state is of another version; it is made anew from the journal"
                );
                (new(), 0)
            }
        },
        None => (new(), 0),
    };
    // Whose things are was perhaps said before the first event that is still there.
    if at == 0 && journal.bounds().first > 1 {
        ledger.lack_the_past();
    }
    catch_up(journal, (&mut state, &ledger), &mut at).await?;
    Ok((state, ledger, at.max(journal.bounds().last)))
}

/// The text that is saved: the ledger on the first line, and the state behind it.
fn write(state: &State, ledger: &Ledger) -> String {
    // Texts and numbers: writing them can't fail.
    let mut text = serde_json::to_string(&ledger.save()).unwrap_or_default();
    text.push('\n');
    text.push_str(&state.to_checkpoint());
    text
}

/// The same, read.
fn read(text: &str, limits: &Limits) -> Option<(State, Ledger)> {
    let (ledger, state) = text.split_once('\n')?;
    let ledger: SavedLedger = serde_json::from_str(ledger).ok()?;
    let state = State::from_checkpoint(state, limits)?;
    Some((state, Ledger::of_saved(ledger, limits.max_known)))
}

/// Saves the state from time to time; never returns unless the journal keeps no states.
pub async fn keep(journal: Arc<dyn Journal>, limits: Limits) {
    if !journal.keeps_checkpoints() {
        return;
    }
    let Ok((mut state, mut ledger, mut at)) = restore(&*journal, &limits).await else {
        tracing::error!(
            "the journal can't be read: no state is saved, and a start will take longer"
        );
        return;
    };
    let (mut saved, mut saved_at) = (0, Instant::now());
    loop {
        tokio::time::sleep(LOOK).await;
        if let Err(error) = catch_up(&*journal, (&mut state, &ledger), &mut at).await {
            tracing::warn!(%error, "the journal can't be read to save the state; trying again");
            continue;
        }
        let due = at - saved >= EVERY || (at > saved && saved_at.elapsed() >= AT_LEAST);
        if !due {
            continue;
        }
        // All of the state as text is work: the threads of the stream are not held up by it.
        let made = tokio::task::spawn_blocking(move || (write(&state, &ledger), state, ledger));
        let Ok((text, state_back, ledger_back)) = made.await else {
            return;
        };
        (state, ledger) = (state_back, ledger_back);
        if journal.save_checkpoint(at, text).await.is_ok() {
            saved = at;
        }
        saved_at = Instant::now();
    }
}

async fn catch_up(
    journal: &dyn Journal,
    (state, ledger): (&mut State, &Ledger),
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
            ledger.learn(&record.event);
        }
        // There may be a great deal: others have their turn.
        tokio::task::yield_now().await;
    }
}
