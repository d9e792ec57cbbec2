//! The state over a restart: what was saved, and what the journal has beyond it.
//!
//! The state is saved as a picture of the hub's own, which costs nothing to take, and goes into the journal in parts: it is
//! never held a second time, nor as one text. The ledger that belongs to the picture's place is folded here, as the intake's
//! is further than the stream; the live stream waits for neither.

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
    ledger::Ledger,
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
    let saved = load(journal, limits).await?;
    let (mut state, ledger, mut at) =
        saved.unwrap_or_else(|| (State::new(limits.clone()), Ledger::new(limits.max_known), 0));
    if at == 0 {
        lack_the_past(journal, &ledger);
    }
    loop {
        let batch = journal.read(at, READ).await?;
        if batch.is_end(at) {
            break;
        }
        at = batch.to;
        for record in &batch.records {
            state.apply(&record.event);
            ledger.learn(&record.event);
        }
        // There may be a great deal: others have their turn.
        tokio::task::yield_now().await;
    }
    Ok((state, ledger, at.max(journal.bounds().last)))
}

/// The saved text: the ledger in the first line, and the state behind it.
async fn load(
    journal: &dyn Journal,
    limits: &Limits,
) -> Result<Option<(State, Ledger, Seq)>, JournalError> {
    let Some((seq, first)) = journal.load_checkpoint(0).await? else {
        return Ok(None);
    };
    let mut restoring = Restoring::new(limits);
    let (first, rest) = first.split_once('\n').unwrap_or((&first, ""));
    let ledger = read_ledger(first, limits);
    let mut whole = restoring.read(rest);
    let mut part = 1;
    while whole.is_some()
        && let Some((_, text)) = journal.load_checkpoint(part).await?
    {
        whole = restoring.read(&text);
        part += 1;
    }
    let state = whole.and_then(|()| restoring.finish());
    if state.is_none()
        && let Some(former) = load_former(journal, seq, limits).await?
    {
        return Ok(Some(former));
    }
    let Some((state, ledger)) = state.zip(ledger) else {
        tracing::warn!(
            "the saved state is of another version or not whole; it is made anew from the journal"
        );
        return Ok(None);
    };
    Ok(Some((state, ledger, seq)))
}

/// A state that was saved before things were settled. What the journal has up to its place tells the ledger more.
async fn load_former(
    journal: &dyn Journal,
    seq: Seq,
    limits: &Limits,
) -> Result<Option<(State, Ledger, Seq)>, JournalError> {
    let Some((_, text)) = journal.load_checkpoint(0).await? else {
        return Ok(None);
    };
    let limits = limits.clone();
    let read = tokio::task::spawn_blocking(move || former::read(&text, &limits)).await;
    let Some((state, ledger)) = read.ok().flatten() else {
        return Ok(None);
    };
    lack_the_past(journal, &ledger);
    catch_up(journal, &ledger, &mut 0, seq).await?;
    tracing::info!("the state that an older version saved is taken over");
    Ok(Some((state, ledger, seq)))
}

fn read_ledger(line: &str, limits: &Limits) -> Option<Ledger> {
    let saved = serde_json::from_str(line).ok()?;
    Some(Ledger::of_saved(saved, limits.max_known))
}

/// The ledger as it was saved, and its place.
async fn load_ledger(
    journal: &dyn Journal,
    limits: &Limits,
) -> Result<(Ledger, Seq), JournalError> {
    let first = journal.load_checkpoint(0).await?;
    let place = first.as_ref().map(|(seq, _)| *seq);
    let mut saved = first.and_then(|(seq, text)| {
        let line = text.lines().next()?;
        Some((read_ledger(line, limits)?, seq))
    });
    if let Some(seq) = place.filter(|_| saved.is_none()) {
        let former = load_former(journal, seq, limits).await?;
        saved = former.map(|(_, ledger, seq)| (ledger, seq));
    }
    Ok(saved.unwrap_or_else(|| {
        let ledger = Ledger::new(limits.max_known);
        lack_the_past(journal, &ledger);
        (ledger, 0)
    }))
}

/// The owners of things were perhaps named before the first event that is still there.
fn lack_the_past(journal: &dyn Journal, ledger: &Ledger) {
    if journal.bounds().first > 1 {
        ledger.lack_the_past();
    }
}

/// Saves the hub's state from time to time, for ever, in a journal that keeps checkpoints. `backlog` tells how far the hub
/// is at the least, and `picture` asks the hub for the state and its place; only a hub that goes down gives none.
pub async fn keep(
    journal: Arc<dyn Journal>,
    picture: impl AsyncFn() -> Option<(Picture, Seq)>,
    backlog: Arc<Backlog>,
    limits: Limits,
) {
    let (ledger, mut at) = loop {
        match load_ledger(&*journal, &limits).await {
            Ok(known) => break known,
            Err(error) => {
                tracing::warn!(%error, "the journal can't be read to save the state; trying again");
                tokio::time::sleep(LOOK).await;
            }
        }
    };
    let ledger = Arc::new(ledger);
    let (mut saved, mut saved_at) = (at, Instant::now());
    loop {
        tokio::time::sleep(LOOK).await;
        let to = backlog.done();
        if let Err(error) = catch_up(&*journal, &ledger, &mut at, to).await {
            tracing::warn!(%error, "the journal can't be read to save the state; trying again");
            continue;
        }
        let due = at - saved >= EVERY || (at > saved && saved_at.elapsed() >= AT_LEAST);
        if !due {
            continue;
        }
        let Some((picture, seq)) = picture().await else {
            continue;
        };
        // The picture is perhaps of a little later.
        if catch_up(&*journal, &ledger, &mut at, seq).await.is_ok()
            && at == seq
            && save(&*journal, seq, picture, ledger.clone()).await.is_ok()
        {
            saved = seq;
        }
        saved_at = Instant::now();
    }
}

/// Writes a picture and the ledger that belongs to it, one part after the other: between two of them the journal keeps
/// events.
async fn save(
    journal: &dyn Journal,
    seq: Seq,
    picture: Picture,
    ledger: Arc<Ledger>,
) -> Result<(), JournalError> {
    let interrupted = |_| JournalError::Unavailable("saving the state was interrupted".into());
    // Texts are work: the threads of the stream are not held up by it. Writing texts and numbers can't fail.
    let first = move || serde_json::to_string(&ledger.save()).unwrap_or_default();
    let first = tokio::task::spawn_blocking(first).await;
    let (mut text, mut saving) = (first.map_err(interrupted)?, Saving::new(picture));
    let mut part = 0;
    loop {
        let made = tokio::task::spawn_blocking(move || (saving.next(), saving)).await;
        let (next, back) = made.map_err(interrupted)?;
        saving = back;
        let Some(next) = next else {
            return journal.save_checkpoint(seq, text).await;
        };
        let before = std::mem::replace(&mut text, next);
        journal.save_checkpoint_part(seq, part, before).await?;
        part += 1;
    }
}

/// Learns what the journal has up to this place.
async fn catch_up(
    journal: &dyn Journal,
    ledger: &Ledger,
    at: &mut Seq,
    to: Seq,
) -> Result<(), JournalError> {
    while *at < to {
        let most = usize::try_from(to - *at).unwrap_or(READ).min(READ);
        let batch = journal.read(*at, most).await?;
        if batch.is_end(*at) {
            return Ok(());
        }
        *at = batch.to.min(to);
        let records = batch.records.iter();
        for record in records.take_while(|record| record.seq <= to) {
            ledger.learn(&record.event);
        }
        // There may be a great deal: others have their turn.
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
            let intake = event::Intake {
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

        // The picture stays as it is while the state goes on, and the next one replaces it only when it is whole.
        journal.append(tasks(200..300)).await.unwrap();
        for part in 0..parts + 5 {
            let unfinished = journal.save_checkpoint_part(seq + 100, part, "{}".into());
            unfinished.await.unwrap();
        }
        let (saved, _, at) = load(&journal, &limits).await.unwrap().unwrap();
        assert!(saved == first && at == seq);
        let (second, ledger, seq) = restore(&journal, &limits).await.unwrap();
        assert_eq!(seq, 300);
        save(&journal, seq, second.picture(), ledger.into())
            .await
            .unwrap();
        drop(journal);
        let journal = open(&path);
        let (saved, ledger, at) = load(&journal, &limits).await.unwrap().unwrap();
        assert!(saved == second && at == seq);
        let known = ledger.look_in("p", event::Kind::Task, "t299", |seat| seat.is_some());
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

        // One that lacks a part is none, and the events give it again.
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
