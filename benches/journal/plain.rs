//! A plain loop of inserts into the same kind of file as the journal's, and the events for both.

use std::{
    path::Path,
    time::{Duration, Instant},
};

use rusqlite::{Connection, TransactionBehavior};
use serde_json::{Value, json};
use stoa::{
    event::{Event, ParseContext, parse},
    journal::Durability,
    timestamp::Timestamp,
};

/// No run of appends is longer, however fast the disk: events are made beforehand and kept in memory.
pub(crate) const MOST: usize = 100_000;
/// One event in so many is a decision.
pub(crate) const RARE: usize = 1_000;

/// An event as producers send them: 300 bytes of progress, and now and then a decision.
pub(crate) fn value(n: usize) -> Value {
    let filler = "Implementing the authentication endpoints and their tests";
    if n.is_multiple_of(RARE) {
        json!({ "type": "decision.logged", "id": format!("e{n}"), "data": { "what": filler, "n": n } })
    } else {
        json!({ "type": "task.progress", "id": format!("e{n}"), "source": format!("agent_{}", n % 20),
                "data": { "task_id": format!("task_{}", n % 500), "agent_id": format!("agent_{}", n % 20),
                          "progress": n % 101, "message": filler } })
    }
}

/// The same as the journal gets it.
pub(crate) fn event(n: usize) -> Event {
    let intake = ParseContext {
        now: Timestamp::now(),
        producer: "bench",
        max_depth: 32,
    };
    parse(value(n), &intake).expect("it is an event")
}

/// Events inserted a second by a loop into the same table, so many in a transaction.
pub(crate) fn inserted(
    folder: &Path,
    durability: Durability,
    batch: usize,
    limit: Duration,
) -> f64 {
    let path = folder.join("inserted.db");
    let mut file = Connection::open(&path).expect("it opens");
    file.execute_batch(
        "CREATE TABLE events (seq INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, accepted INTEGER NOT NULL, event TEXT NOT NULL)",
    )
    .expect("a table");
    file.pragma_update(None, "journal_mode", "wal")
        .expect("WAL");
    file.pragma_update(None, "journal_size_limit", 64 << 20)
        .expect("a limit");
    let synchronous = match durability {
        Durability::Process => "normal",
        Durability::Disk => "full",
    };
    file.pragma_update(None, "synchronous", synchronous)
        .expect("a mode");
    let events: Vec<(String, String)> = (0..MOST)
        .map(event)
        .map(|event| (event.id.to_string(), event.to_stored()))
        .collect();
    let mut count: usize = 0;
    let begun = Instant::now();
    for batch in events.chunks(batch) {
        let transaction = file
            .transaction_with_behavior(TransactionBehavior::Immediate)
            .expect("a transaction");
        for (id, text) in batch {
            count += 1;
            transaction
                .prepare_cached(
                    "INSERT INTO events (seq, id, accepted, event) VALUES (?1, ?2, ?3, ?4)",
                )
                .and_then(|mut insert| insert.execute((count as u64, id, 0, text)))
                .expect("an insert");
        }
        transaction.commit().expect("it is kept");
        if begun.elapsed() > limit {
            break;
        }
    }
    let rate = count as f64 / begun.elapsed().as_secs_f64();
    drop(file);
    remove(&path);
    rate
}

pub(crate) fn remove(path: &Path) {
    for ending in ["", "-wal", "-shm"] {
        let mut file = path.as_os_str().to_owned();
        file.push(ending);
        std::fs::remove_file(file).ok();
    }
}
