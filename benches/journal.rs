//! The journal's rates: events appended and read again a second, and how long a server needs to start on a
//! long one.
//!
//! `cargo bench --bench journal -- --events 1000000 --millis 1500`; `STOA_BIN` names another server than the one built
//! here. Beside each rate of the journal stands that of a plain loop of inserts in the same kind of file, so that the two
//! can be compared on any disk.
#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::unwrap_used,
    clippy::print_stdout,
    unreachable_pub
)]

#[path = "journal/plain.rs"]
mod plain;

use std::{
    path::Path,
    sync::Arc,
    time::{Duration, Instant},
};

use kit::socket::Socket;
use kit::{
    appends::APPENDERS,
    bench::argument,
    process::{Process, free_port},
};
use plain::{MOST, RARE, event, inserted, remove};
use rusqlite::{Connection, OpenFlags};
use serde_json::{Value, json};
use stoa::{
    delivery::Cursor,
    journal::{Durability, Epoch, HeldBytes, Journal, Retention, SqliteJournal, SqliteOptions},
};

/// Records that are read at a time.
const PAGE: usize = 1_024;
/// Events that the client missed which comes back.
const MISSED: u64 = 100_000;
/// A state is saved within this, or never.
const SAVED: Duration = Duration::from_secs(60);

fn main() {
    let events = argument("--events", 1_000_000);
    let limit = Duration::from_millis(argument("--millis", 1_500) as u64);
    let folder = tempfile::tempdir().expect("a folder");
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    runtime.block_on(async {
        println!("\n## Journal: events a second\n");
        println!(
            "{APPENDERS} appenders at once; beside it one loop with a transaction for each batch.\n"
        );
        println!("| durability | batch | journal | plain inserts | ratio |\n|---|--:|--:|--:|--:|");
        for durability in [Durability::Process, Durability::Disk] {
            for batch in [1, 10, 100] {
                let made = appended(folder.path(), durability, batch, limit).await;
                let plain = inserted(folder.path(), durability, batch, limit);
                println!(
                    "| {durability:?} | {batch} | {made:.0} | {plain:.0} | {:.2} |",
                    made / plain
                );
            }
        }
        let path = folder.path().join("long.db");
        let begun = Instant::now();
        let epoch = fill(&path, events).await;
        let bytes = std::fs::metadata(&path).map_or(0, |file| file.len());
        println!(
            "\n{events} events appended in batches of {PAGE}: {:.0}/s; the file has {} MiB.",
            events as f64 / begun.elapsed().as_secs_f64(),
            bytes >> 20
        );
        println!(
            "Read from the first on by {PAGE}: {:.0} events/s.",
            read(&path, limit * 2).await
        );
        starts(&path, events as u64, epoch).await;
    });
}

fn options(path: &Path, durability: Durability) -> SqliteOptions {
    SqliteOptions {
        path: path.to_owned(),
        durability,
        retention: Retention {
            max_events: usize::MAX,
            max_age: Duration::from_secs(7 * 86_400),
            max_bytes: 1 << 40,
        },
        held: HeldBytes::default(),
        breaker: stoa::breaker::Breaker::alone("journal", Duration::from_millis(200)),
    }
}

/// Events appended a second.
async fn appended(folder: &Path, durability: Durability, batch: usize, limit: Duration) -> f64 {
    let path = folder.join("appended.db");
    let journal = Arc::new(SqliteJournal::open(&options(&path, durability)).expect("it opens"));
    let rate = kit::appends::appended(journal, (0..MOST).map(event), batch, limit).await;
    remove(&path);
    rate
}

/// A journal with so many events.
async fn fill(path: &Path, events: usize) -> Epoch {
    let journal = SqliteJournal::open(&options(path, Durability::Process)).expect("it opens");
    let mut from = 0;
    while from < events {
        let to = (from + PAGE).min(events);
        journal
            .append((from..to).map(event).collect())
            .await
            .expect("it is kept");
        journal.release(to as u64);
        from = to;
    }
    journal.close();
    journal.epoch()
}

/// Events read a second, from the first on.
async fn read(path: &Path, limit: Duration) -> f64 {
    let journal = SqliteJournal::open(&options(path, Durability::Process)).expect("it opens");
    let (mut after, begun) = (0, Instant::now());
    while begun.elapsed() < limit {
        let batch = journal.read(after, PAGE).await.expect("it is read");
        if batch.is_end(after) {
            break;
        }
        after = batch.to;
    }
    after as f64 / begun.elapsed().as_secs_f64()
}

/// The time that the server takes to start, and that a client which was away takes to come back.
async fn starts(path: &Path, events: u64, epoch: Epoch) {
    // All of them are kept, however many were asked for.
    let settings = [
        ("STOA_JOURNAL__MAX_EVENTS", (events + 1_000).to_string()),
        ("STOA_JOURNAL__MAX_BYTES", (1_u64 << 40).to_string()),
    ];
    println!("\n## From the start of the server to `/readyz`, with {events} events\n");
    println!("| how the last one ended | seconds | peak memory, MiB |\n|---|--:|--:|");
    let row = |how: &str, server: &Process| {
        let peak = server
            .memory("VmHWM")
            .map_or("?".into(), |kib| (kib >> 10).to_string());
        println!(
            "| {how} | {:.2} | {peak} |",
            server.ready_after.as_secs_f64()
        );
    };
    let server = Process::start(path, free_port(), &settings).await;
    row("without a saved state: every event is folded", &server);
    let saved = saved(path, events).await;
    server.stop();
    let server = Process::start(path, free_port(), &settings).await;
    row("in order, with a saved state", &server);
    server.kill();
    let server = Process::start(path, free_port(), &settings).await;
    row(
        "by SIGKILL right after its start, with a saved state",
        &server,
    );
    println!(
        "\nThe state was saved {:.1} s after the first start was ready.",
        saved.as_secs_f64()
    );
    let from = Cursor::at(epoch, events.saturating_sub(MISSED));
    let (took, seen) = resume(&server, &from.to_string()).await;
    let missed = events.min(MISSED);
    println!(
        "A client that missed {missed} events and wants 1 in {RARE} of them was sent {seen}, in {:.2} s: {:.0} events/s.",
        took.as_secs_f64(),
        missed as f64 / took.as_secs_f64()
    );
    server.stop();
}

/// Waits until the server has saved its state.
async fn saved(path: &Path, events: u64) -> Duration {
    let begun = Instant::now();
    while begun.elapsed() < SAVED {
        let file =
            Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_ONLY).expect("it opens");
        let newest: Option<u64> = file
            .query_row("SELECT max(seq) FROM checkpoints", [], |row| row.get(0))
            .expect("it is read");
        // With few events the server takes its time before it saves anything.
        if newest.is_some_and(|newest| newest >= events) {
            return begun.elapsed();
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("no state was saved");
}

/// Comes back to that place: how long it takes to hear all of it, and how many updates that were.
async fn resume(server: &Process, cursor: &str) -> (Duration, u64) {
    let auth = json!({ "cursor": cursor, "filters": { "types": ["decision_event"] } }).to_string();
    let begun = Instant::now();
    let mut client = Socket::connect(server.address, &auth, None)
        .await
        .expect("it connects");
    let mut resumed = None;
    let mut decisions = 0;
    while resumed.is_none() {
        let read = client.read(|packet| {
            if packet.starts_with(b"[\"resumed\"") {
                resumed = serde_json::from_slice::<Value>(packet).ok();
            } else if packet.starts_with(b"[\"decision_event\"") {
                decisions += 1;
            }
        });
        read.await.expect("it stays connected");
    }
    let took = begun.elapsed();
    let resumed = resumed.expect("it came");
    assert_eq!(resumed[1]["complete"], true, "{resumed}");
    assert_eq!(resumed[1]["replayed"], decisions, "{resumed}");
    (took, decisions)
}
