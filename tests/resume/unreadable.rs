//! A part of the journal that can't be read, though nothing in it is damaged: as a disk with a bad place has it. Whoever
//! missed just that gets the state after a few tries, is counted, and holds up nobody else.

use std::{net::SocketAddr, path::Path};

use serde_json::json;
use stoa::{config::JournalKind, server::Running};

use super::decide;
use kit::{Client, counted_in, get, post_raw, server_with};

/// The event whose reading fails.
const BAD: u64 = 700;
/// The places from which it is missed.
const PLACES: u64 = 40;
/// So often what a client missed is tried.
const ATTEMPTS: u64 = 3;
/// So many more attempts may fail until somebody new is in the row.
const UNDER_WAY: u64 = 8;
/// Counts the attempts that failed.
const FAILED: &str = "stoa_replays_failed_total";

async fn server_on(path: &Path) -> Running {
    server_with(|config| {
        config.journal.kind = JournalKind::Sqlite;
        config.journal.path = path.into();
        // Reading goes to the file.
        config.journal.tail_bytes.set(64 * 1_024).unwrap();
    })
    .await
}

/// From now on reading the event at `BAD` fails, again and again, and reading any other succeeds. Nothing can be written
/// meanwhile.
fn spoil(path: &Path) {
    let file = rusqlite::Connection::open(path).expect("opens");
    let spoilt = format!(
        "BEGIN IMMEDIATE;
         ALTER TABLE events RENAME TO kept;
         CREATE VIEW events AS
           SELECT seq, CASE WHEN seq = {BAD} THEN json(substr(event, 2)) ELSE event END AS event FROM kept;
         COMMIT;"
    );
    file.execute_batch(&spoilt).expect("is spoilt");
}

fn mend(path: &Path) {
    let file = rusqlite::Connection::open(path).expect("opens");
    let mended = "BEGIN IMMEDIATE; DROP VIEW events; ALTER TABLE kept RENAME TO events; COMMIT;";
    file.execute_batch(mended).expect("is as before");
}

/// Comes back with a cursor.
async fn connect(address: SocketAddr, cursor: &str) -> Client {
    let auth = json!({ "cursor": cursor, "filters": { "types": ["decision_event"] } });
    Client::connect(address, auth).await.0
}

#[tokio::test(flavor = "multi_thread")]
async fn what_can_not_be_read_holds_up_nobody_and_ends_in_the_state() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("stoa.db");
    let server = server_on(&path).await;
    let address = server.address();
    // Places before the bad one, and one behind it.
    let mut before = Vec::new();
    for n in 0..PLACES {
        before.push(decide(address, n * 10..n * 10 + 10).await);
    }
    for begin in (PLACES * 10..2_400).step_by(500) {
        decide(address, begin..begin + 500).await;
    }
    // Events that are missed from here on come in one segment.
    let behind = decide(address, 2_400..2_401).await;
    decide(address, 2_401..3_000).await;
    server.shutdown().await;
    // Nothing of it is at hand after a start.
    let server = server_on(&path).await;
    let address = server.address();
    spoil(&path);

    // Two stand at each place. Places that share their reading fail together the first time, and then each for itself.
    let mut lost = Vec::new();
    for cursor in before.iter().chain(&before) {
        lost.push(connect(address, cursor).await);
    }
    // The client that comes last waits for one attempt at each of their places, and not until all of them are given up.
    let mut other = connect(address, &behind).await;
    let begun = counted_in(&server, FAILED);
    let resumed = other.event("resumed").await;
    let waited = counted_in(&server, FAILED) - begun;
    assert!(
        waited <= PLACES + UNDER_WAY,
        "it waited for {waited} failures"
    );
    assert_eq!(resumed["complete"], true, "{resumed}");
    let numbers = other
        .events
        .iter()
        .filter_map(|(_, u)| u["data"]["n"].as_u64());
    assert!(numbers.eq(2_401..3_000), "just what it missed");
    let mut clients = vec![other];
    let people = lost.len() as u64;
    for mut client in lost {
        let resumed = client.event("resumed").await;
        assert_eq!(resumed["complete"], false, "{resumed}");
        let state = client.event("snapshot").await;
        assert_eq!(state["counts"]["decisions"], 3_000, "{state}");
        clients.push(client);
    }
    let given_up = "stoa_replays_given_up_total{reason=\"unreadable\"}";
    assert_eq!(counted_in(&server, given_up), people);
    let failed = counted_in(&server, FAILED);
    let expected = ATTEMPTS..=ATTEMPTS * people;
    assert!(expected.contains(&failed), "{failed} attempts");

    // The journal is whole again: everybody is live.
    mend(&path);
    // A write that failed meanwhile is told so.
    while post_raw(address, "application/json", r#"{"type":"note.x"}"#)
        .await
        .0
        != 202
    {}
    decide(address, 3_000..3_001).await;
    for client in &mut clients {
        client
            .event_where("decision_event", |u| u["data"]["n"] == 3_000)
            .await;
    }
    let mut whole = connect(address, &before[0]).await;
    assert_eq!(whole.event("resumed").await["complete"], true);
    assert_eq!(get(address, "/readyz").await.0, 200);
    server.shutdown().await;
}
