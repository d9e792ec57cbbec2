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
    journal::{Journal, JournalError, Seq},
    ledger::{self, Ledger},
};

/// The most events that a start has to fold, except those of the last moments.
const EVERY: u64 = 20_000;
/// The longest time for which new events stay unsaved.
const AT_LEAST: Duration = Duration::from_secs(30);
/// The time between two looks at the journal: short enough that its new records are still in memory.
const CHECKPOINT_CHECK_INTERVAL: Duration = Duration::from_millis(200);
const READ_BATCH: usize = 1_024;

/// The state and the ledger at the journal's end, within these limits.
///
/// # Errors
/// The journal can't be read.
pub async fn restore(
    journal: &dyn Journal,
    limits: &Limits,
) -> Result<(State, Ledger, Seq), JournalError> {
    let saved = load(journal, limits).await?;
    let Loaded {
        mut state,
        ledger,
        mut at,
        learnt,
    } = saved.unwrap_or_else(|| Loaded {
        state: State::new(limits.clone()),
        ledger: Ledger::within(limits.known),
        at: 0,
        learnt: 0,
    });
    if at == 0 {
        lack_the_past(journal, &ledger);
    }
    loop {
        let batch = journal.read(at, READ_BATCH).await?;
        if batch.is_end(at) {
            break;
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
    Ok((state, ledger, at.max(journal.bounds().last)))
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
async fn load(journal: &dyn Journal, limits: &Limits) -> Result<Option<Loaded>, JournalError> {
    let Some((at, mut text)) = journal.load_checkpoint(0).await? else {
        return Ok(None);
    };
    let mut ledger = ledger::Restoring::new(limits.known);
    let mut restoring = Restoring::new(limits);
    let mut part = 0;
    let whole = loop {
        if read_part(&text, &mut ledger, &mut restoring).is_none() {
            break false;
        }
        part += 1;
        match journal.load_checkpoint(part).await? {
            Some((_, next)) => text = next,
            None => break true,
        }
    };
    let read = whole.then(|| Some((restoring.finish()?, ledger.finish()?)));
    if let Some((state, (ledger, learnt))) = read.flatten() {
        return Ok(Some(Loaded {
            state,
            ledger,
            at,
            learnt: learnt.unwrap_or(at).max(at),
        }));
    }
    let former = load_former(journal, at, limits).await?;
    if former.is_none() {
        tracing::warn!(
            "the saved state is of another version or not whole; it is made anew from the journal"
        );
    }
    Ok(former)
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
    seq: Seq,
    limits: &Limits,
) -> Result<Option<Loaded>, JournalError> {
    let Some((_, text)) = journal.load_checkpoint(0).await? else {
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
    let newest = journal.load_checkpoint(0).await;
    let mut saved = newest.ok().flatten().map_or(0, |(seq, _)| seq);
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
        let Some((picture, seq)) = picture().await else {
            continue;
        };
        match save(&*journal, seq, picture, ledger.clone()).await {
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
    seq: Seq,
    picture: Picture,
    ledger: Arc<Ledger>,
) -> Result<(), JournalError> {
    let interrupted = |_| JournalError::Unavailable("saving the state was interrupted".into());
    // The ledger learnt everything up to here before. Nothing in the picture is later.
    let learnt = journal.bounds().last.max(seq);
    let mut saving = ledger::Saving::new(ledger, learnt).chain(Saving::new(picture));
    let mut text: Option<String> = None;
    let mut part = 0;
    loop {
        // Writing texts is work, so it must not hold up the threads of the stream.
        let made = tokio::task::spawn_blocking(move || (saving.next(), saving)).await;
        let (next, back) = made.map_err(interrupted)?;
        saving = back;
        let Some(next) = next else {
            return journal.save_checkpoint(seq, text.unwrap_or_default()).await;
        };
        if let Some(before) = text.replace(next) {
            journal.save_checkpoint_part(seq, part, before).await?;
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
mod tests {
    use std::path::Path;

    use serde_json::{Map, Value, json};

    use super::*;
    use crate::timestamp::Timestamp;
    use crate::{
        event::{self, Event},
        journal::{Durability, HeldBytes, Retention, SqliteJournal, SqliteOptions, repair},
        ledger::Speaker,
    };

    fn open(path: &Path) -> SqliteJournal {
        let options = SqliteOptions {
            path: path.to_owned(),
            durability: Durability::Process,
            retention: Retention {
                max_events: 1_000_000,
                max_age: Duration::from_secs(3_600),
                max_bytes: 1 << 30,
            },
            held: HeldBytes::default(),
            breaker: crate::breaker::Breaker::alone("journal", Duration::from_millis(200)),
        };
        SqliteJournal::open(&options).unwrap()
    }

    /// Tasks of 60 KB each, settled.
    fn tasks(of: std::ops::Range<usize>) -> Vec<Event> {
        let ledger = Ledger::new(1_000);
        let task = |n: usize| {
            let facts = (0..8).map(|k| (format!("k{k}"), json!("x".repeat(7_500))));
            let mut data: Map<String, Value> = facts.collect();
            data.insert("task_id".into(), json!(format!("t{n}")));
            let value = json!({ "type": "task.updated", "project_id": "p", "data": data });
            let intake = event::ParseContext {
                now: Timestamp::now(),
                producer: "test",
                max_depth: 32,
            };
            let mut event = event::parse(value, &intake).unwrap();
            let speaker = Speaker {
                producer: &"".into(),
                projects: None,
            };
            ledger.settle(&mut event, speaker).unwrap();
            event
        };
        of.map(task).collect()
    }

    #[tokio::test]
    async fn a_state_is_saved_in_parts_and_whole_or_not_at_all() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("stoa.db");
        let limits = Limits::default();
        let journal = open(&path);
        journal.append(tasks(0..200)).await.unwrap();
        let (first, ledger, seq) = restore(&journal, &limits).await.unwrap();
        let ledger = Arc::new(ledger);
        save(&journal, seq, first.picture(), ledger.clone())
            .await
            .unwrap();
        let mut parts: u32 = 0;
        while let Some((at, text)) = journal.load_checkpoint(parts).await.unwrap() {
            assert_eq!(at, seq);
            assert!(text.len() < 1_200_000, "{} bytes in one", text.len());
            parts += 1;
        }
        assert!(parts > 10, "{parts} parts of 12 MB");

        // The picture stays as it is while the state goes on, and a new checkpoint replaces the old one only when it is
        // whole.
        journal.append(tasks(200..300)).await.unwrap();
        for part in 0..parts + 5 {
            let unfinished = journal.save_checkpoint_part(seq + 100, part, "{}".into());
            unfinished.await.unwrap();
        }
        let saved = load(&journal, &limits).await.unwrap().unwrap();
        assert!(saved.state == first && saved.at == seq);
        let (second, ledger, seq) = restore(&journal, &limits).await.unwrap();
        assert_eq!(seq, 300);
        save(&journal, seq, second.picture(), ledger.into())
            .await
            .unwrap();
        drop(journal);
        let journal = open(&path);
        let saved = load(&journal, &limits).await.unwrap().unwrap();
        assert!(saved.state == second && saved.at == seq);
        let known = saved
            .ledger
            .look_in("p", event::ThingKind::Task, "t299", |seat| seat.is_some());
        assert!(known, "the ledger is of the same place");
        drop((journal, saved));

        // A copy by `stoa repair` has it too.
        let repaired = repair(&path).unwrap();
        assert!(!repaired.state_lost);
        let count = |what: &str| -> i64 {
            let connection = rusqlite::Connection::open(&path).unwrap();
            let count = format!("SELECT count(*) FROM checkpoint_parts WHERE {what}");
            connection.query_row(&count, [], |row| row.get(0)).unwrap()
        };
        assert_eq!(count("seq <> 300"), 0, "what was before is gone");
        assert!(count("seq = 300") > 15);

        // A checkpoint that lacks a part is ignored, and the events give the state again.
        let connection = rusqlite::Connection::open(&path).unwrap();
        let cut = "DELETE FROM checkpoint_parts WHERE part > 5";
        assert!(connection.execute(cut, []).unwrap() > 5);
        drop(connection);
        let journal = open(&path);
        assert!(load(&journal, &limits).await.unwrap().is_none());
        let (state, _, at) = restore(&journal, &limits).await.unwrap();
        assert!(state == second && at == seq);
    }
}
