//! The ledger of whose things are: a producer may name any number of them, by long names.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::held::{publish, server_on};
use kit::{PATIENCE, counted_in, get, until_folded};

const BYTES: u64 = 512 * 1_024;
/// Each thing holds about a kilobyte: this is many times what there is room for.
const EVENTS: usize = 4_000;
/// A state is saved after so many events.
const SAVED_AFTER: usize = 20_000;

fn named(n: usize) -> Value {
    let id = |kind: &str| format!("{kind}{n}-{}", "x".repeat(240));
    let data = json!({ "task_id": id("t"), "run_id": id("r"), "job_id": id("j"), "owner_id": id("u"),
        "project_name": id("n") });
    json!({ "type": "project.updated", "project_id": id("p"), "data": data })
}

#[tokio::test]
async fn ever_new_names_of_things_and_owners_hold_no_more_than_they_may() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("stoa.db");
    let start = async || {
        server_on(&path, |config| {
            config.access.max_known_bytes.set(BYTES).unwrap();
        })
        .await
    };
    let held = |server: &_| counted_in(server, "stoa_known_bytes{said_by=\"unlimited\"}");
    let server = start().await;
    let address = server.address();
    publish(address, (0..EVENTS).map(named), 200).await;
    let notes = (0..SAVED_AFTER).map(|_| json!({ "type": "note.x", "data": {} }));
    publish(address, notes, 1_000).await;
    assert!(
        (BYTES / 2..=BYTES).contains(&held(&server)),
        "{}",
        held(&server)
    );
    let forgotten = |kind: &str| {
        let line = format!("stoa_known_forgotten_total{{kind=\"{kind}\",reason=\"bytes\"}}");
        counted_in(&server, &line)
    };
    let gone = ["task", "run", "job"].map(forgotten);
    assert!(
        gone.iter().all(|gone| *gone > EVENTS as u64 / 2),
        "{gone:?}"
    );

    // It is saved with the state, and held to the same bound when it is read.
    let connection = rusqlite::Connection::open(&path).unwrap();
    let parts = "SELECT count(*) FROM checkpoint_parts WHERE state LIKE '{\"things\"%'";
    let begun = Instant::now();
    loop {
        let saved: u64 = connection.query_row(parts, [], |row| row.get(0)).unwrap();
        if saved > 0 {
            break;
        }
        assert!(begun.elapsed() < PATIENCE, "the state is never saved");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    server.shutdown().await;
    let server = start().await;
    assert!(
        (BYTES / 2..=BYTES).contains(&held(&server)),
        "{}",
        held(&server)
    );

    // The newest are remembered: what names one without its project is that project's.
    let last = named(EVENTS - 1);
    let event = json!({ "type": "task.seen", "data": { "task_id": last["data"]["task_id"] } });
    let cursor = publish(server.address(), [event], 1).await;
    until_folded(server.address(), &cursor).await;
    let (_, page) = get(server.address(), "/api/v1/events?type=task.seen&order=desc").await;
    assert_eq!(
        page["events"][0]["project_id"], last["project_id"],
        "{page}"
    );
    server.shutdown().await;
}
