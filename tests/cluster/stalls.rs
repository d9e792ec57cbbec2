//! A node that stands still while the others go on.

use kit::{Client, metrics::counted, process::free_port, redis::Redis, until};
use serde_json::json;

use super::{event, process_at, take, task, tasks, told, until_ready, until_taken};

/// The number of a connection, as a line of the engine's list has it.
fn id(line: &str) -> String {
    let number = line.split(' ').find_map(|field| field.strip_prefix("id="));
    number.expect("a number").to_owned()
}

/// The node that does the chores stands still for longer than its lease: another one does them, and nothing is lost. The
/// journal no longer reaches back to where it stood: its clients that lack what is gone are given the state, and those
/// that moved to another node in time miss nothing.
#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_stands_still_for_longer_than_the_journal_reaches_back_begins_anew() {
    let Some(engine) = Redis::lasting().await else {
        return;
    };
    let further = [("STOA_JOURNAL__MAX_EVENTS", "50")];
    let start = |name| process_at(&engine.url(), name, free_port(), &further);
    let stalled = start("one");
    let (mut here, _) = Client::connect(stalled.address, json!({})).await;
    take(stalled.address, &["a", "b"]).await;
    told(&mut here, &["a", "b"]).await;
    let clients: String = engine.ask(&["CLIENT", "LIST"]).await;
    let own: Vec<String> = clients.lines().map(id).collect();
    let going = start("two");
    let address = going.address;
    let (mut there, _) = Client::connect(address, json!({})).await;
    stalled.signal("STOP");
    // An answer to what it had asked before would give it the events once it goes on, and nothing were gone for it.
    until("the engine to have answered it", async || {
        let clients: String = engine.ask(&["CLIENT", "LIST"]).await;
        let waits = |line: &&str| line.contains(" flags=b ") && own.contains(&id(line));
        (clients.lines().filter(waits).count() == 0).then_some(())
    })
    .await;
    let ids: Vec<String> = (0..200).map(|n| format!("t{n}")).collect();
    let ids: Vec<&str> = ids.iter().map(String::as_str).collect();
    let events: Vec<_> = ids.iter().map(|id| task(id)).collect();
    // Events that come together are let go of together.
    for some in events.chunks(10) {
        let (status, answer) = kit::post(address, &json!(some)).await;
        assert_eq!(status, 202, "{answer}");
    }
    let near_end = told(&mut there, &ids[..180]).await;
    told(&mut there, &ids[180..]).await;
    // The other one takes the chores over, saves the state, and lets go of what is beyond the bound.
    until("the lease to be the other one's", async || {
        let holder: Option<String> = engine.ask(&["GET", "stoa:{stoa}:lease"]).await;
        holder
            .is_some_and(|name| name.starts_with("two"))
            .then_some(())
    })
    .await;
    until("a checkpoint", async || {
        let place: Option<String> = engine.ask(&["GET", "stoa:{stoa}:checkpoint"]).await;
        place
    })
    .await;
    until("events to be let go of", async || {
        let gone = counted(address, "stoa_events_trimmed_total").await;
        (gone >= 150).then_some(())
    })
    .await;
    stalled.signal("CONT");
    let resumed = event(&mut here, "resumed").await;
    assert_eq!(resumed["complete"], false, "{resumed}");
    let state = event(&mut here, "snapshot").await;
    let all: Vec<&str> = ["a", "b"].into_iter().chain(ids).collect();
    let told_of = state["tasks"].as_object().unwrap();
    assert_eq!(told_of.len(), all.len(), "all that the state has");
    tasks(&[address, stalled.address], &all).await;
    // A client that lacks only what is still there gets that, at the node that stood still as well.
    let (mut moved, _) = Client::connect(stalled.address, json!({ "cursor": near_end })).await;
    let resumed = event(&mut moved, "resumed").await;
    assert_eq!(
        (&resumed["complete"], &resumed["replayed"]),
        (&json!(true), &json!(20))
    );
    until_ready(stalled.address, true).await;
    until_taken(stalled.address, "end").await;
    for client in [&mut here, &mut there] {
        told(client, &["end"]).await;
    }
}

/// A node stands still for a moment: it goes on where it was, and so do its clients.
#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_stands_still_for_a_moment_misses_nothing() {
    let Some(engine) = Redis::lasting().await else {
        return;
    };
    let start = |name| process_at(&engine.url(), name, free_port(), &[]);
    let (stalled, going) = (start("one"), start("two"));
    let (mut here, _) = Client::connect(stalled.address, json!({})).await;
    take(going.address, &["a"]).await;
    told(&mut here, &["a"]).await;
    stalled.signal("STOP");
    take(going.address, &["b", "c", "d"]).await;
    stalled.signal("CONT");
    told(&mut here, &["b", "c", "d"]).await;
    take(stalled.address, &["e"]).await;
    told(&mut here, &["e"]).await;
    tasks(
        &[stalled.address, going.address],
        &["a", "b", "c", "d", "e"],
    )
    .await;
}
