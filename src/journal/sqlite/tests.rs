mod damage;

use std::{
    fs,
    path::{Path, PathBuf},
    time::Duration,
};

use serde_json::json;

use super::*;
use crate::{
    event::{Event, ParseContext, parse},
    journal::{Outcome, Record, Retention},
    timestamp::Timestamp,
};

pub(super) fn options(path: &Path) -> SqliteOptions {
    SqliteOptions {
        path: path.to_owned(),
        durability: Durability::Process,
        retention: Retention {
            max_events: 1_000_000,
            max_age: Duration::from_secs(3600),
            max_bytes: 1 << 30,
        },
        held: HeldBytes::default(),
        breaker: crate::breaker::Breaker::alone("journal", Duration::from_millis(200)),
    }
}

pub(super) fn events(ids: std::ops::Range<u64>) -> Vec<Event> {
    let event = |n: u64| {
        let context = ParseContext {
            now: Timestamp::now(),
            producer: "test",
            max_depth: 32,
        };
        let value = json!({ "type": "task.progress", "id": format!("e{n}"), "priority": "high",
                            "data": { "n": n, "x": 0.1234567890123456, "filler": "x".repeat(200) }, "metadata": { "m": 1 } });
        parse(value, &context).unwrap()
    };
    ids.map(event).collect()
}

/// All kept events after a place, however many reads that takes.
async fn all(journal: &SqliteJournal, mut after: Seq) -> Vec<Arc<Record>> {
    let mut all = Vec::new();
    loop {
        let batch = journal.read(after, 20_000).await.unwrap();
        if batch.is_end(after) {
            return all;
        }
        after = batch.to;
        all.extend(batch.records);
    }
}

pub(super) fn file() -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("stoa.db");
    (folder, path)
}

#[tokio::test]
async fn a_restart_finds_the_same_events_cursors_and_duplicates() {
    let (_folder, path) = file();
    let before = SqliteJournal::open(&options(&path)).unwrap();
    before.append(events(0..10_000)).await.unwrap();
    let at = (before.epoch(), 500);
    before.save_checkpoint(at, "state".into()).await.unwrap();
    let (epoch, kept) = (before.epoch(), all(&before, 0).await);
    drop(before);
    let after = SqliteJournal::open(&options(&path)).unwrap();
    // The start has an epoch of its own, and the places keep theirs.
    assert_ne!(after.epoch(), epoch);
    assert_eq!(after.newest_of(epoch), Some(10_000));
    assert_eq!(after.epoch_at(10_000), epoch);
    assert_eq!(
        after.bounds(),
        Bounds {
            first: 1,
            last: 10_000
        }
    );
    let newest = after.newest_checkpoint().await.unwrap().unwrap();
    let text = after.load_checkpoint(&newest, 0).await.unwrap();
    assert_eq!((newest.seq, text.as_deref()), (500, Some("state")));
    let found = all(&after, 0).await;
    assert_eq!(found.len(), kept.len());
    for (found, kept) in found.iter().zip(&kept) {
        assert_eq!((found.seq, &found.event), (kept.seq, &kept.event));
    }
    let outcomes = after.append(events(9_999..10_001)).await.unwrap();
    assert_eq!(
        outcomes,
        [Outcome::Duplicate(10_000), Outcome::Stored(10_001)]
    );
    // Old records come by a query, new ones from memory, and none between them is missing.
    assert_eq!(after.epoch_at(10_001), after.epoch());
    let newest = all(&after, 9_990).await;
    assert!(newest.iter().map(|r| r.seq).eq(9_991..=10_001));
    assert_eq!(*after.watch().borrow(), 10_001);
}

#[tokio::test]
async fn many_at_once_share_transactions_and_keep_each_ones_order() {
    let (_folder, path) = file();
    let journal = Arc::new(SqliteJournal::open(&options(&path)).unwrap());
    let appends = (0..200_u64).map(|n| {
        let journal = journal.clone();
        tokio::spawn(async move { journal.append(events(n * 10..n * 10 + 10)).await.unwrap() })
    });
    let mut places = Vec::new();
    for append in appends.collect::<Vec<_>>() {
        let seqs: Vec<_> = append
            .await
            .unwrap()
            .into_iter()
            .map(Outcome::seq)
            .collect();
        assert!(seqs.windows(2).all(|w| w[1] == w[0] + 1), "{seqs:?}");
        places.extend(seqs);
    }
    places.sort_unstable();
    assert!(places.into_iter().eq(1..=2_000));
}

#[tokio::test]
async fn too_much_and_too_old_goes_in_steps_but_never_what_is_needed() {
    let (_folder, path) = file();
    let mut options = options(&path);
    options.retention.max_bytes = 1_000_000;
    let journal = SqliteJournal::open(&options).unwrap();
    journal.append(events(0..10_000)).await.unwrap();
    journal.release(9_000);
    tokio::time::sleep(Duration::from_millis(700)).await;
    assert_eq!(journal.bounds().first, 1, "the next start needs them");
    let at = (journal.epoch(), 8_500);
    journal.save_checkpoint(at, "{}".into()).await.unwrap();
    let started = std::time::Instant::now();
    while journal.bounds().first < 6_000 {
        assert!(
            started.elapsed() < Duration::from_secs(60),
            "{:?}",
            journal.bounds()
        );
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert!(journal.bounds().first <= 8_501, "{:?}", journal.bounds());
    assert_eq!(journal.bounds().last, 10_000);
}

#[test]
fn what_is_not_ours_is_refused_and_left_as_it_is() {
    let (folder, path) = file();
    let other = folder.path().join("other.db");
    let connection = rusqlite::Connection::open(&other).unwrap();
    connection
        .execute_batch("CREATE TABLE theirs (x); INSERT INTO theirs VALUES (1)")
        .unwrap();
    drop(connection);
    let text = folder.path().join("notes.txt");
    fs::write(&text, "remember the milk\n".repeat(20)).unwrap();
    let short = folder.path().join("short");
    fs::write(&short, "x").unwrap();
    for foreign in [&other, &text, &short] {
        let before = fs::read(foreign).unwrap();
        let error = SqliteJournal::open(&options(foreign))
            .unwrap_err()
            .to_string();
        assert!(
            error.contains("another program") && error.contains(&*foreign.to_string_lossy()),
            "{error}"
        );
        assert_eq!(fs::read(foreign).unwrap(), before);
    }
    let error = SqliteJournal::open(&options(folder.path()))
        .unwrap_err()
        .to_string();
    assert!(error.contains("is a folder"), "{error}");
    let _first = SqliteJournal::open(&options(&path)).unwrap();
    let error = SqliteJournal::open(&options(&path))
        .unwrap_err()
        .to_string();
    assert!(error.contains("in use by another server"), "{error}");
}

/// Waits until no event can be kept, or until events can be kept again.
async fn until_trouble(journal: &SqliteJournal, wanted: bool) -> Option<String> {
    let started = Instant::now();
    loop {
        let trouble = journal.health().trouble;
        if trouble.is_some() == wanted {
            return trouble;
        }
        assert!(started.elapsed() < Duration::from_secs(60), "{trouble:?}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

#[cfg(unix)]
#[tokio::test]
async fn a_file_that_is_taken_away_is_noticed_and_so_is_its_return() {
    let (folder, path) = file();
    let elsewhere = folder.path().join("elsewhere.db");
    let journal = SqliteJournal::open(&options(&path)).unwrap();
    journal.append(events(0..10)).await.unwrap();
    fs::rename(&path, &elsewhere).unwrap();
    let trouble = until_trouble(&journal, true).await.unwrap();
    assert!(trouble.contains("deleted or renamed"), "{trouble}");
    let refused = journal.append(events(10..20)).await.unwrap_err();
    assert_eq!(refused, JournalError::Unavailable(trouble));
    fs::write(&path, "another one").unwrap();
    let started = Instant::now();
    while !journal
        .health()
        .trouble
        .is_some_and(|t| t.contains("another file"))
    {
        assert!(started.elapsed() < Duration::from_secs(60));
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    fs::rename(&elsewhere, &path).unwrap();
    until_trouble(&journal, false).await;
    assert_eq!(
        journal.append(events(10..11)).await,
        Ok(vec![Outcome::Stored(11)])
    );
    let counted = crate::journal::tests::counters(&journal);
    assert!(
        counted.contains("stoa_journal_file_lost_total 2"),
        "{counted}"
    );
}

#[cfg(unix)]
#[tokio::test]
async fn a_log_that_is_taken_away_or_cut_is_noticed_and_what_was_kept_is_there_after_a_restart() {
    for cut in [false, true] {
        let (folder, path) = file();
        let log = folder.path().join("stoa.db-wal");
        let journal = SqliteJournal::open(&options(&path)).unwrap();
        journal.append(events(0..500)).await.unwrap();
        // The journal has looked at the log by then.
        tokio::time::sleep(Duration::from_millis(600)).await;
        if cut {
            fs::File::options()
                .write(true)
                .open(&log)
                .unwrap()
                .set_len(0)
                .unwrap();
        } else {
            fs::remove_file(&log).unwrap();
        }
        let trouble = until_trouble(&journal, true).await.unwrap();
        assert!(trouble.contains("write-ahead log"), "{trouble}");
        assert!(journal.append(events(500..501)).await.is_err());
        if !cut {
            let copy = folder.path().join("copy.db");
            fs::copy(&path, &copy).unwrap();
            let after = SqliteJournal::open(&options(&copy)).unwrap();
            assert_eq!(after.bounds().last, 500, "the file itself has it all");
        }
        // Knowledge that only this process has must not be written over the file.
        std::mem::forget(journal);
    }
}

#[tokio::test]
async fn what_waits_to_be_written_is_bounded_and_whoever_hangs_up_frees_the_place() {
    let (_folder, path) = file();
    let mut options = options(&path);
    options.held.queue = 1_000_000;
    let journal = Arc::new(SqliteJournal::open(&options).unwrap());
    // Another program holds the file.
    let other = rusqlite::Connection::open(&path).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    let append = |from: u64| {
        let journal = journal.clone();
        tokio::spawn(async move { journal.append(events(from..from + 50)).await })
    };
    let mut waiting = vec![append(0)];
    let mut next = 50;
    // The writer has the first of them; the others are queued.
    while journal.health().trouble.is_none() {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let trouble = journal.health().trouble.unwrap();
    assert!(
        trouble.contains("another program holds the file"),
        "{trouble}"
    );
    let refused = loop {
        let append = append(next);
        tokio::time::sleep(Duration::from_millis(20)).await;
        if append.is_finished() {
            break append.await.unwrap();
        }
        waiting.push(append);
        next += 50;
        assert!(next < 5_000);
    };
    assert_eq!(refused, Err(JournalError::Overloaded));
    assert_eq!(journal.waiting(), waiting.len() as u64 * 50);
    assert!(waiting.len() > 2, "{}", waiting.len());
    let last = waiting.pop().unwrap();
    last.abort();
    last.await.unwrap_err();
    assert_eq!(journal.waiting(), waiting.len() as u64 * 50);
    waiting.push(append(9_000));
    other.execute_batch("ROLLBACK").unwrap();
    for waiting in waiting {
        let kept = waiting.await.unwrap().unwrap();
        assert!(
            kept.iter()
                .all(|outcome| matches!(outcome, Outcome::Stored(_)))
        );
    }
    until_trouble(&journal, false).await;
    let started = Instant::now();
    while journal.waiting() > 0 {
        assert!(started.elapsed() < Duration::from_secs(60));
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let counted = crate::journal::tests::counters(&*journal);
    assert!(
        counted.contains("stoa_journal_overloaded_total 1"),
        "{counted}"
    );
}

#[tokio::test]
async fn a_clock_that_jumps_empties_nothing() {
    let (_folder, path) = file();
    let journal = SqliteJournal::open(&options(&path)).unwrap();
    journal.append(events(0..100)).await.unwrap();
    journal.release(100);
    let shared = journal.shared.clone();
    shared.checkpoint.store(100, Ordering::Release);
    let mut connection = rusqlite::Connection::open(&path).unwrap();
    connection.busy_timeout(schema::BUSY).unwrap();
    let start = clock::Now::read();
    let mut trimmer = trim::Trimmer::new(&options(&path), start);
    let later = |seconds: u64, jump: i64| clock::Now {
        wall_us: start.wall_us + i64::try_from(seconds).unwrap() * 1_000_000 + jump,
        monotonic: start.monotonic + Duration::from_secs(seconds),
    };
    let week = 8 * 86_400 * 1_000_000;
    for at in [
        later(10, week),
        later(20, week),
        later(30, -week),
        later(1_800, -week),
        later(1_810, week),
    ] {
        trimmer.step(&mut connection, &shared, at).unwrap();
        assert_eq!(journal.bounds().first, 1, "{at:?}");
    }
    // Time that passes on both clocks is believed: these events are over an hour old, and all but the newest go.
    trimmer
        .step(&mut connection, &shared, later(4_000, 0))
        .unwrap();
    assert_eq!(journal.bounds().first, 100);
    let counted = crate::journal::tests::counters(&journal);
    assert!(
        counted.contains("events_trimmed_total{reason=\"age\"} 99"),
        "{counted}"
    );
    assert!(counted.contains("clock_jumps_total 3"), "{counted}");
}
