//! An engine that is there and says nothing, for a while.

use std::time::{Duration, Instant};

use kit::{Client, get, redis::Redis};
use serde_json::json;

use super::{
    event, load::number, node, take, tasks, told, until_ready, until_refused, until_taken,
};

/// More of it makes a longer run of the same: `CHAOS_AWAY=60`, in seconds. Then the times are judged as well.
const AWAY: u64 = 2;
/// The time within which a node says that its engine is away.
const SAID_WITHIN: Duration = Duration::from_secs(10);

/// While the engine stands still, what is known goes on being told by each node, publishing is refused, and the nodes say
/// so; afterwards they heal, and nothing comes twice.
#[tokio::test(flavor = "multi_thread")]
async fn an_engine_that_stands_still_is_said_to_and_what_is_known_is_told() {
    let Some(engine) = Redis::start().await else {
        return;
    };
    let servers = [node(&engine, "one").await, node(&engine, "two").await];
    let [one, two] = servers.each_ref().map(stoa::server::Running::address);
    let (mut here, _) = Client::connect(one, json!({})).await;
    let (mut there, _) = Client::connect(two, json!({})).await;
    take(one, &["a", "b"]).await;
    let cursor = told(&mut here, &["a"]).await;
    told(&mut here, &["b"]).await;
    told(&mut there, &["a", "b"]).await;
    engine.signal("STOP");
    let since = Instant::now();
    // Whether it is kept is not known: it was handed to an engine that did not answer.
    for (address, id) in [(one, "c"), (two, "d")] {
        let why = until_refused(address, id).await;
        assert!(!why.contains("os error"), "{why}");
    }
    until_ready(one, false).await;
    until_ready(two, false).await;
    let said_after = since.elapsed();
    let mut longest = Duration::ZERO;
    let away = Duration::from_secs(number("CHAOS_AWAY", AWAY));
    while since.elapsed() < away {
        for address in [one, two] {
            let asked = Instant::now();
            assert_eq!(get(address, "/api/v1/state").await.0, 200);
            let (status, history) = get(address, "/api/v1/events").await;
            assert_eq!(
                (status, history["events"].as_array().map(Vec::len)),
                (200, Some(2))
            );
            until_refused(address, "d").await;
            assert_eq!(get(address, "/healthz").await.0, 200);
            let (mut late, _) = Client::connect(address, json!({ "cursor": cursor })).await;
            told(&mut late, &["b"]).await;
            assert_eq!(event(&mut late, "resumed").await["complete"], true);
            late.close().await;
            let (mut new, _) = Client::connect(address, json!({ "snapshot": true })).await;
            let state = event(&mut new, "snapshot").await;
            assert_eq!(
                state["tasks"].as_object().map(serde_json::Map::len),
                Some(2)
            );
            new.close().await;
            longest = longest.max(asked.elapsed());
        }
    }
    if std::env::var_os("CHAOS_AWAY").is_some() {
        assert!(said_after < SAID_WITHIN, "said after {said_after:?}");
        assert!(longest < Duration::from_secs(1), "answered in {longest:?}");
    }
    engine.signal("CONT");
    for id in ["c", "d", "e"] {
        until_taken(two, id).await;
    }
    // Events that were refused may have been kept when the engine went on, and come once all the same.
    for client in [&mut here, &mut there] {
        let mut ids = Vec::new();
        while ids.last().is_none_or(|last| last != "e") {
            let update = event(client, "task_update").await;
            ids.push(update["id"].as_str().unwrap().to_owned());
        }
        ids.sort();
        assert_eq!(ids, ["c", "d", "e"]);
    }
    for address in [one, two] {
        until_ready(address, true).await;
    }
    tasks(&[one, two], &["a", "b", "c", "d", "e"]).await;
    for server in servers {
        server.shutdown().await;
    }
}
