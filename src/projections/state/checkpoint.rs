//! The state over a restart: the saved one, and the journal's events after it.
//!
//! The state is saved as a picture of the hub's own, which costs nothing to take, and goes into the journal in parts:
//! it is never held a second time, nor as one text. The intake's ledger goes before it: it is further than the picture,
//! and is saved with its own place. The live stream waits for neither.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use super::{
    folded::State,
    former,
    limits::Limits,
    picture::Picture,
    saved::{Restoring, Saving},
};
use crate::{
    backlog::Backlog,
    journal::{Checkpoint, Epoch, Journal, JournalError, Seq},
    ledger::{self, Ledger},
};

/// The most events that a start has to fold, except those of the last moments.
const EVERY: u64 = 20_000;
/// The longest time for which new events stay unsaved.
const AT_LEAST: Duration = Duration::from_secs(30);
/// The time between two looks at the journal: short enough that its new records are still in memory.
const CHECKPOINT_CHECK_INTERVAL: Duration = Duration::from_millis(200);
const READ_BATCH: usize = 1_024;

/// The times that a state is loaded again which others replaced meanwhile, or whose next events were trimmed.
const MAX_LOADS: usize = 10;

/// The state and the ledger at a place near the journal's end, within these limits: other nodes may append meanwhile.
///
/// # Errors
/// The journal can't be read.
pub async fn restore(
    journal: &dyn Journal,
    limits: &Limits,
) -> Result<(State, Ledger, Seq), JournalError> {
    for _ in 0..MAX_LOADS {
        let loaded = match load(journal, limits).await? {
            Load::Is(loaded) => *loaded,
            Load::None => Loaded {
                state: State::new(limits.clone()),
                ledger: Ledger::within(limits.known),
                at: 0,
                learnt: 0,
            },
            Load::Replaced => continue,
        };
        if loaded.at == 0 {
            lack_the_past(journal, &loaded.ledger);
        }
        if let Some(restored) = fold(journal, loaded).await? {
            return Ok(restored);
        }
    }
    Err(JournalError::Unavailable(
        "the saved state is replaced faster than it is loaded".into(),
    ))
}

/// Folds the events after a saved state. None if some of them are gone, since a newer state holds them.
async fn fold(
    journal: &dyn Journal,
    loaded: Loaded,
) -> Result<Option<(State, Ledger, Seq)>, JournalError> {
    let Loaded {
        mut state,
        ledger,
        mut at,
        learnt,
    } = loaded;
    loop {
        let batch = journal.read(at, READ_BATCH).await?;
        let first = journal.bounds().first;
        if first > at + 1 && at > 0 {
            let newest = journal.newest_checkpoint().await?;
            if newest.is_some_and(|newest| newest.seq > at) {
                return Ok(None);
            }
        }
        if batch.is_end(at) {
            // Events from here on are the live stream's.
            return Ok(Some((state, ledger, at.max(first.saturating_sub(1)))));
        }
        at = batch.to;
        for record in &batch.records {
            state.apply(&record.event);
            if record.seq > learnt {
                ledger.learn(&record.event);
            }
        }
        // There may be many records: other tasks have their turn.
        tokio::task::yield_now().await;
    }
}

/// The newest saved state, as far as it was found.
enum Load {
    /// There is none that can be used.
    None,
    Is(Box<Loaded>),
    /// A newer one took its place while it was loaded.
    Replaced,
}

/// The saved state.
struct Loaded {
    state: State,
    ledger: Ledger,
    /// The last record that is in the state.
    at: Seq,
    /// The last record that the ledger has learnt for certain; it is not before the state's.
    learnt: Seq,
}

/// The saved text: the ledger's lines, and the state's behind them.
async fn load(journal: &dyn Journal, limits: &Limits) -> Result<Load, JournalError> {
    let Some(newest) = journal.newest_checkpoint().await? else {
        return Ok(Load::None);
    };
    let at = newest.seq;
    let mut ledger = ledger::Restoring::new(limits.known);
    let mut restoring = Restoring::new(limits);
    let mut part = 0;
    let whole = loop {
        let Some(text) = journal.load_checkpoint(&newest, part).await? else {
            if newest.parts.is_some_and(|parts| parts != part) {
                return Ok(Load::Replaced);
            }
            break part > 0;
        };
        if read_part(&text, &mut ledger, &mut restoring).is_none() {
            break false;
        }
        part += 1;
    };
    let read = whole.then(|| Some((restoring.finish()?, ledger.finish()?)));
    if let Some((state, (ledger, learnt))) = read.flatten() {
        return Ok(Load::Is(Box::new(Loaded {
            state,
            ledger,
            at,
            learnt: learnt.unwrap_or(at).max(at),
        })));
    }
    match load_former(journal, &newest, limits).await? {
        Some(former) => Ok(Load::Is(Box::new(former))),
        None => {
            tracing::warn!(
                "the saved state is of another version or not whole; it is made anew from the journal"
            );
            Ok(Load::None)
        }
    }
}

/// Reads one part; `None` if it is of another form.
fn read_part(part: &str, ledger: &mut ledger::Restoring, state: &mut Restoring) -> Option<()> {
    let mut rest = part;
    while !ledger.is_whole() && !rest.is_empty() {
        let (line, after) = rest.split_once('\n').unwrap_or((rest, ""));
        ledger.read(line)?;
        rest = after;
    }
    state.read(rest)
}

/// Reads a state that an earlier version saved, before things were settled. The ledger learns more from the journal's
/// records up to its place.
async fn load_former(
    journal: &dyn Journal,
    newest: &Checkpoint,
    limits: &Limits,
) -> Result<Option<Loaded>, JournalError> {
    let seq = newest.seq;
    let Some(text) = journal.load_checkpoint(newest, 0).await? else {
        return Ok(None);
    };
    let limits = limits.clone();
    let read = tokio::task::spawn_blocking(move || former::read(&text, &limits)).await;
    let Some((state, ledger)) = read.ok().flatten() else {
        return Ok(None);
    };
    lack_the_past(journal, &ledger);
    catch_up(journal, &ledger, seq).await?;
    tracing::info!("the state that an older version saved is taken over");
    Ok(Some(Loaded {
        state,
        ledger,
        at: seq,
        learnt: seq,
    }))
}

/// Tells the ledger if events are missing: they may have named the owners of things.
fn lack_the_past(journal: &dyn Journal, ledger: &Ledger) {
    if journal.bounds().first > 1 {
        ledger.lack_the_past();
    }
}

/// Saves the hub's state and the intake's ledger from time to time, for ever, in a journal that keeps checkpoints.
/// `backlog` shows which place the hub has reached, and `picture` asks the hub for the state and its place; only a hub
/// that ends gives none.
pub async fn keep(
    journal: Arc<dyn Journal>,
    ledger: Arc<Ledger>,
    picture: impl AsyncFn() -> Option<(Picture, Seq)>,
    backlog: Arc<Backlog>,
) {
    let newest = journal.newest_checkpoint().await;
    let mut saved = newest.ok().flatten().map_or(0, |newest| newest.seq);
    let mut saved_at = Instant::now();
    loop {
        tokio::time::sleep(CHECKPOINT_CHECK_INTERVAL).await;
        let at = backlog.done().min(journal.bounds().last);
        // A journal may go back, or be another one.
        saved = saved.min(journal.bounds().last);
        // One of all nodes saves it for all.
        if !journal.leads() {
            saved_at = Instant::now();
            continue;
        }
        let due = at >= saved + EVERY || (at > saved && saved_at.elapsed() >= AT_LEAST);
        if !due {
            continue;
        }
        let rewinds = journal.rewinds();
        let Some((picture, seq)) = picture().await else {
            continue;
        };
        let epoch = journal.epoch();
        if journal.rewinds() != rewinds {
            // The epoch may not name the picture's place.
            continue;
        }
        match save(&*journal, (epoch, seq), picture, ledger.clone()).await {
            Ok(()) => saved = seq,
            Err(error) => {
                tracing::warn!(%error, "the state can't be saved; trying again");
            }
        }
        saved_at = Instant::now();
    }
}

/// Writes a ledger and a picture, one part after the other: between two of them the journal keeps events.
pub(crate) async fn save(
    journal: &dyn Journal,
    at: (Epoch, Seq),
    picture: Picture,
    ledger: Arc<Ledger>,
) -> Result<(), JournalError> {
    let interrupted = |_| JournalError::Unavailable("saving the state was interrupted".into());
    // The ledger learnt everything up to here before. Nothing in the picture is later.
    let learnt = journal.bounds().last.max(at.1);
    let mut saving = ledger::Saving::new(ledger, learnt).chain(Saving::new(picture));
    let mut text: Option<String> = None;
    let mut part = 0;
    loop {
        // Writing texts is work, so it must not hold up the threads of the stream.
        let made = tokio::task::spawn_blocking(move || (saving.next(), saving)).await;
        let (next, back) = made.map_err(interrupted)?;
        saving = back;
        let Some(next) = next else {
            return journal.save_checkpoint(at, text.unwrap_or_default()).await;
        };
        if let Some(before) = text.replace(next) {
            journal.save_checkpoint_part(at, part, before).await?;
            part += 1;
        }
    }
}

/// Has the ledger learn the journal's records up to this place.
async fn catch_up(journal: &dyn Journal, ledger: &Ledger, to: Seq) -> Result<(), JournalError> {
    let mut at = 0;
    while at < to {
        let most = usize::try_from(to - at)
            .unwrap_or(READ_BATCH)
            .min(READ_BATCH);
        let batch = journal.read(at, most).await?;
        if batch.is_end(at) {
            return Ok(());
        }
        at = batch.to.min(to);
        let records = batch.records.iter();
        for record in records.take_while(|record| record.seq <= to) {
            ledger.learn(&record.event);
        }
        // There may be many records: other tasks have their turn.
        tokio::task::yield_now().await;
    }
    Ok(())
}

#[cfg(test)]
mod tests;
