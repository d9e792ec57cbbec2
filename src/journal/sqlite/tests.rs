use std::{
    fs,
    path::{Path, PathBuf},
    time::Duration,
};

use serde_json::json;

use super::*;
use crate::event::{Intake, Timestamp, parse};

fn options(path: &Path) -> SqliteOptions {
    SqliteOptions {
        path: path.to_owned(),
        durability: Durability::Process,
        retention: Retention {
            max_events: 1_000_000,
            max_age: Duration::from_secs(3600),
        },
        max_bytes: 1 << 30,
    }
}

fn events(ids: std::ops::Range<u64>) -> Vec<Event> {
    let event = |n: u64| {
        let intake = Intake {
            now: Timestamp::now(),
            producer: "test",
            max_depth: 32,
        };
        let value = json!({ "type": "task.progress", "id": format!("e{n}"), "priority": "high",
                            "data": { "n": n, "x": 0.1234567890123456, "filler": "x".repeat(200) }, "metadata": { "m": 1 } });
        parse(value, &intake).unwrap()
    };
    ids.map(event).collect()
}

fn file() -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("stoa.db");
    (folder, path)
}

#[tokio::test]
async fn a_restart_finds_the_same_events_cursors_and_duplicates() {
    let (_folder, path) = file();
    let before = SqliteJournal::open(&options(&path)).unwrap();
    before.append(events(0..10_000)).await.unwrap();
    before.save_checkpoint(500, "state".into()).await.unwrap();
    let (epoch, kept) = (before.epoch(), before.read(0, 20_000).await.unwrap());
    drop(before);
    let after = SqliteJournal::open(&options(&path)).unwrap();
    assert_eq!(after.epoch(), epoch);
    assert_eq!(
        after.bounds(),
        Bounds {
            first: 1,
            last: 10_000
        }
    );
    assert_eq!(
        after.load_checkpoint().await.unwrap(),
        Some((500, "state".into()))
    );
    let found = after.read(0, 20_000).await.unwrap();
    assert_eq!(found.len(), kept.len());
    for (found, kept) in found.iter().zip(&kept) {
        assert_eq!((found.seq, &found.event), (kept.seq, &kept.event));
    }
    let outcomes = after.append(events(9_999..10_001)).await.unwrap();
    assert_eq!(
        outcomes,
        [Outcome::Duplicate(10_000), Outcome::Stored(10_001)]
    );
    // Old ones by a query, new ones at hand, and nothing between them is missing.
    let all = after.read(9_990, 100).await.unwrap();
    assert!(all.iter().map(|r| r.seq).eq(9_991..=10_001));
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
    let journal = SqliteJournal::open(&SqliteOptions {
        max_bytes: 1_000_000,
        ..options(&path)
    })
    .unwrap();
    journal.append(events(0..10_000)).await.unwrap();
    journal.release(9_000);
    tokio::time::sleep(Duration::from_millis(700)).await;
    assert_eq!(journal.bounds().first, 1, "the next start needs them");
    journal.save_checkpoint(8_500, "{}".into()).await.unwrap();
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

#[tokio::test]
async fn a_damaged_file_is_refused_and_left_as_it_is() {
    let (_folder, path) = file();
    let journal = SqliteJournal::open(&options(&path)).unwrap();
    journal.append(events(0..5_000)).await.unwrap();
    drop(journal);
    let whole = fs::read(&path).unwrap();
    fs::write(&path, &whole[..whole.len() / 2]).unwrap();
    let error = SqliteJournal::open(&options(&path))
        .unwrap_err()
        .to_string();
    assert!(
        error.contains("is damaged") && error.contains("bytes are missing"),
        "{error}"
    );
    assert_eq!(fs::read(&path).unwrap().len(), whole.len() / 2);
    // Newer than this server.
    fs::write(&path, &whole).unwrap();
    let connection = rusqlite::Connection::open(&path).unwrap();
    connection.pragma_update(None, "user_version", 99).unwrap();
    drop(connection);
    let error = SqliteJournal::open(&options(&path))
        .unwrap_err()
        .to_string();
    assert!(error.contains("newer version"), "{error}");
}
