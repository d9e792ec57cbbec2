//! An engine that forgets its scripts, is full, whose clock jumps, and one that many nodes find again at once.

use kit::{
    Client, counted_in, get, not_checked,
    redis::{Redis, engines},
};
use serde_json::json;
use stoa::server::Running;

use super::{event, node, take, tasks, told, until_ready, until_refused, until_taken};

#[tokio::test(flavor = "multi_thread")]
async fn scripts_that_the_engine_forgot_are_sent_again() {
    let Some(engine) = Redis::start().await else {
        return;
    };
    let (one, two) = (node(&engine, "one").await, node(&engine, "two").await);
    let (mut client, _) = Client::connect(two.address(), json!({})).await;
    take(one.address(), &["a"]).await;
    for ids in [["b", "c"], ["d", "e"]] {
        engine.command(&["SCRIPT", "FLUSH"]).await;
        // Nobody notices: neither the one that publishes first nor the other.
        take(one.address(), &ids[..1]).await;
        take(two.address(), &ids[1..]).await;
    }
    told(&mut client, &["a", "b", "c", "d", "e"]).await;
    tasks(&[one.address(), two.address()], &["a", "b", "c", "d", "e"]).await;
    one.shutdown().await;
    two.shutdown().await;
}

/// A full engine takes nothing: publishers are told so, what is kept is told, and it goes on when there is room.
#[tokio::test(flavor = "multi_thread")]
async fn an_engine_that_is_full_is_said_to_be_and_what_is_kept_is_told() {
    let Some(engine) = Redis::start().await else {
        return;
    };
    let (one, two) = (node(&engine, "one").await, node(&engine, "two").await);
    let (mut client, _) = Client::connect(two.address(), json!({})).await;
    take(one.address(), &["a"]).await;
    let cursor = told(&mut client, &["a"]).await;
    take(one.address(), &["b"]).await;
    told(&mut client, &["b"]).await;
    engine.command(&["CONFIG", "SET", "maxmemory", "1"]).await;
    let why = until_refused(one.address(), "c").await;
    assert!(why.contains("OOM") || why.contains("maxmemory"), "{why}");
    until_ready(one.address(), false).await;
    // It stays so: nothing that is kept meanwhile says that there is room.
    for _ in 0..200 {
        assert_eq!(get(one.address(), "/readyz").await.0, 503);
    }
    // Nobody published on the other one: it can be read, and says what it finds when it is asked to keep something.
    until_refused(two.address(), "d").await;
    until_ready(two.address(), false).await;
    assert_eq!(get(two.address(), "/api/v1/state").await.0, 200);
    let (mut late, _) = Client::connect(two.address(), json!({ "cursor": cursor })).await;
    told(&mut late, &["b"]).await;
    assert_eq!(event(&mut late, "resumed").await["complete"], true);
    engine.command(&["CONFIG", "SET", "maxmemory", "0"]).await;
    until_ready(one.address(), true).await;
    until_ready(two.address(), true).await;
    take(one.address(), &["c"]).await;
    told(&mut client, &["c"]).await;
    one.shutdown().await;
    two.shutdown().await;
}

/// Nodes that find the engine again at the same moment, after it was started anew, begin one generation together.
#[tokio::test(flavor = "multi_thread")]
async fn nodes_that_race_begin_one_generation() {
    let Some(mut engine) = Redis::lasting().await else {
        return;
    };
    let mut servers: Vec<Running> = Vec::new();
    for name in ["one", "two", "three", "four"] {
        servers.push(node(&engine, name).await);
    }
    let (mut client, _) = Client::connect(servers[0].address(), json!({})).await;
    let generations =
        async |engine: &Redis| -> usize { engine.ask(&["LLEN", "stoa:{stoa}:generations"]).await };
    let mut ids = Vec::new();
    for round in 0..3 {
        let before = generations(&engine).await;
        engine.kill();
        for server in &servers {
            until_ready(server.address(), false).await;
        }
        engine.again().await;
        for (at, server) in servers.iter().enumerate() {
            until_ready(server.address(), true).await;
            let id = format!("{round}-{at}");
            until_taken(server.address(), &id).await;
            told(&mut client, &[&id]).await;
            ids.push(id);
        }
        assert_eq!(generations(&engine).await, before + 1);
    }
    let addresses: Vec<_> = servers.iter().map(Running::address).collect();
    let ids: Vec<&str> = ids.iter().map(String::as_str).collect();
    tasks(&addresses, &ids).await;
    for server in servers {
        for name in ["stoa_journal_healed_total", "stoa_journal_lost_total"] {
            assert_eq!(counted_in(&server, name), 0, "{name}");
        }
        server.shutdown().await;
    }
}

/// Places are no times: the engine's clock may jump.
#[cfg(target_os = "linux")]
#[tokio::test(flavor = "multi_thread")]
async fn an_engine_whose_clock_jumps_changes_nothing() {
    let test = "an engine whose clock jumps";
    let Some(library) = crate::clock::faketime(test) else {
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let clock = folder.path().join("clock");
    let set = |offset: &str| {
        let new = folder.path().join("new");
        std::fs::write(&new, offset).unwrap();
        std::fs::rename(&new, &clock).unwrap();
    };
    set("+0");
    let environment = [
        ("LD_PRELOAD", library.display().to_string()),
        ("FAKETIME_TIMESTAMP_FILE", clock.display().to_string()),
        ("FAKETIME_NO_CACHE", "1".to_owned()),
        ("FAKETIME_DONT_FAKE_MONOTONIC", "1".to_owned()),
    ];
    // The system's allocates by a library beneath which faketime can't run.
    let Some(program) = engines().into_iter().find(|program| program.is_absolute()) else {
        return;
    };
    let engine = Redis::within(&program, &environment).await;
    let time = async || -> u64 {
        let (seconds, _): (u64, u64) = engine.ask(&["TIME"]).await;
        seconds
    };
    // Some machines answer an engine's question for the time where faketime does not hear it.
    let before = time().await;
    set("+10d");
    let after = time().await;
    if after < before + 86_400 {
        let engine = program.display();
        not_checked(&format!(
            "{test}: faketime does not reach {engine}: {before}, then {after}"
        ));
        return;
    }
    set("+0");
    let (one, two) = (node(&engine, "one").await, node(&engine, "two").await);
    let (mut client, _) = Client::connect(two.address(), json!({})).await;
    take(one.address(), &["a"]).await;
    set("+10d");
    assert!(time().await > before + 86_400, "the clock jumped");
    take(one.address(), &["b"]).await;
    take(two.address(), &["c"]).await;
    set("-10d");
    assert!(time().await < before, "the clock jumped back");
    take(two.address(), &["d"]).await;
    take(one.address(), &["e"]).await;
    told(&mut client, &["a", "b", "c", "d", "e"]).await;
    tasks(&[one.address(), two.address()], &["a", "b", "c", "d", "e"]).await;
    for server in [one, two] {
        until_ready(server.address(), true).await;
        assert_eq!(counted_in(&server, "stoa_events_trimmed_total"), 0);
        server.shutdown().await;
    }
}
