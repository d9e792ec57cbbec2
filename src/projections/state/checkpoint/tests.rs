//! A saved state: in parts, whole or not at all, and of one place of the journal.

use std::path::Path;

use futures_util::future::BoxFuture;
use serde_json::{Map, Value, json};
use tokio::sync::watch;

use super::*;
use crate::timestamp::Timestamp;
use crate::{
    event::{self, Event},
    journal::{
        Appending, Batch, Bounds, Durability, Entry, HeldBytes, MemoryJournal, Retention,
        SqliteJournal, SqliteOptions, repair,
    },
    ledger::Speaker,
    observe::JournalMetrics,
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

async fn loaded(journal: &SqliteJournal, limits: &Limits) -> Option<Loaded> {
    match load(journal, limits).await.unwrap() {
        Load::Is(loaded) => Some(*loaded),
        Load::None | Load::Replaced => None,
    }
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
    let epoch = journal.epoch();
    save(&journal, (epoch, seq), first.picture(), ledger.clone())
        .await
        .unwrap();
    let mut parts: u32 = 0;
    let newest = journal.newest_checkpoint().await.unwrap().unwrap();
    assert_eq!(newest.seq, seq);
    while let Some(text) = journal.load_checkpoint(&newest, parts).await.unwrap() {
        assert!(text.len() < 1_200_000, "{} bytes in one", text.len());
        parts += 1;
    }
    assert!(parts > 10, "{parts} parts of 12 MB");

    // The picture stays as it is while the state goes on, and a new checkpoint replaces the old one only when it is
    // whole.
    journal.append(tasks(200..300)).await.unwrap();
    for part in 0..parts + 5 {
        let unfinished = journal.save_checkpoint_part((epoch, seq + 100), part, "{}".into());
        unfinished.await.unwrap();
    }
    let saved = loaded(&journal, &limits).await.unwrap();
    assert!(saved.state == first && saved.at == seq);
    let (second, ledger, seq) = restore(&journal, &limits).await.unwrap();
    assert_eq!(seq, 300);
    save(&journal, (epoch, seq), second.picture(), ledger.into())
        .await
        .unwrap();
    drop(journal);
    let journal = open(&path);
    let saved = loaded(&journal, &limits).await.unwrap();
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
    assert!(loaded(&journal, &limits).await.is_none());
    let (state, _, at) = restore(&journal, &limits).await.unwrap();
    assert!(state == second && at == seq);
}

/// A journal to which another node appends whenever this one has read all of it.
#[derive(Debug)]
struct Growing(MemoryJournal);

impl Journal for Growing {
    fn epoch(&self) -> Epoch {
        self.0.epoch()
    }

    fn append_entries(&self, entries: Vec<Entry>) -> Appending {
        self.0.append_entries(entries)
    }

    fn read(&self, after: Seq, limit: usize) -> BoxFuture<'_, Result<Batch, JournalError>> {
        Box::pin(async move {
            let batch = self.0.read(after, limit).await?;
            if batch.is_end(after) {
                self.0.append(tasks(0..3)).await?;
            }
            Ok(batch)
        })
    }

    fn release(&self, read: Seq) {
        self.0.release(read);
    }

    fn bounds(&self) -> Bounds {
        self.0.bounds()
    }

    fn watch(&self) -> watch::Receiver<Seq> {
        self.0.watch()
    }

    fn metrics(&self) -> JournalMetrics {
        self.0.metrics()
    }
}

/// The place of a restored state is the last one that is in it: what other nodes append meanwhile comes after.
#[tokio::test]
async fn a_state_is_of_the_place_up_to_which_it_was_read() {
    let retention = Retention {
        max_events: 1_000,
        max_age: Duration::from_secs(3_600),
        max_bytes: 1 << 30,
    };
    let journal = Growing(MemoryJournal::new(retention));
    journal.append(tasks(10..15)).await.unwrap();
    let (state, _, at) = restore(&journal, &Limits::default()).await.unwrap();
    assert_eq!((at, journal.bounds().last), (5, 8));
    assert_eq!(state.entities(), 5);
}
