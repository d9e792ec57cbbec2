//! An engine that is full, silent or forgetful, and replicas that lag behind.

use std::{process::Command, time::Duration};

use kit::redis::Redis;

use super::*;

/// An engine that does nothing until this is dropped.
struct Stopped(String);

impl Stopped {
    async fn of(engine: &Redis) -> Self {
        let info = engine.info("server").await;
        let mut lines = info.lines();
        let pid = lines.find_map(|line| line.strip_prefix("process_id:"));
        let stopped = Self(pid.expect("its id").to_owned());
        stopped.signal("-STOP");
        stopped
    }

    fn signal(&self, name: &str) {
        let sent = Command::new("kill").args([name, &self.0]).status();
        assert!(sent.is_ok_and(|sent| sent.success()));
    }
}

impl Drop for Stopped {
    fn drop(&mut self) {
        self.signal("-CONT");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_script_that_the_engine_forgot_is_sent_again() {
    let Some(engine) = kit::redis::Redis::start().await else {
        return;
    };
    let journal = open(&engine.url()).await;
    append(&journal, &["a"]).await;
    engine.command(&["SCRIPT", "FLUSH"]).await;
    assert_eq!(append(&journal, &["b"]).await, [Outcome::Stored(2)]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_engine_refuses_and_heals() {
    let Some(engine) = kit::redis::Redis::start().await else {
        return;
    };
    let journal = open(&engine.url()).await;
    append(&journal, &["a"]).await;
    engine.command(&["CONFIG", "SET", "maxmemory", "1"]).await;
    let refused = journal.append(vec![event("b")]).await.unwrap_err();
    assert!(refused.to_string().contains("OOM"), "{refused}");
    assert!(journal.health().trouble.is_some());
    engine.command(&["CONFIG", "SET", "maxmemory", "0"]).await;
    append(&journal, &["b"]).await;
    assert_eq!(ids(&journal).await, ["a", "b"]);
    assert_eq!(journal.health().trouble, None);
}

/// Else it would stay full until somebody came.
#[tokio::test(flavor = "multi_thread")]
async fn a_full_engine_still_lets_go_of_what_is_too_old() {
    let Some(engine) = kit::redis::Redis::start().await else {
        return;
    };
    let age = Duration::from_secs(1);
    let retention = Retention {
        max_age: age,
        ..retention()
    };
    let journal = open_with(testing::options(&engine.url(), retention)).await;
    beside::until_leading(&journal).await;
    append(&journal, &["a", "b"]).await;
    let saved = journal.save_checkpoint((journal.epoch(), 2), "{}".into());
    saved.await.unwrap();
    engine.command(&["CONFIG", "SET", "maxmemory", "1"]).await;
    journal.append(vec![event("c")]).await.unwrap_err();
    kit::until("the old events to go", async || {
        (journal.bounds().first == 3).then_some(())
    })
    .await;
    assert!(journal.health().trouble.is_some());
    assert!(journal.leads());
}

/// The second waits behind the first in the queue, and not for as long again.
#[tokio::test(flavor = "multi_thread")]
async fn what_waits_behind_an_event_that_fails_is_refused_with_it() {
    let Some(engine) = Redis::start().await else {
        return;
    };
    let options = RedisOptions {
        timeout: Duration::from_secs(1),
        ..testing::options(&engine.url(), retention())
    };
    let journal = open_with(options).await;
    append(&journal, &["a"]).await;
    let stopped = Stopped::of(&engine).await;
    let large = |n: usize| Event {
        data: serde_json::Map::from_iter([("text".to_owned(), "x".repeat(3 << 20).into())]),
        ..event(&format!("e{n}"))
    };
    // More than a call takes.
    let begun = std::time::Instant::now();
    let all = (0..8).map(|n| journal.append(vec![large(n)]));
    for refused in futures_util::future::join_all(all).await {
        refused.unwrap_err();
    }
    let took = begun.elapsed();
    assert!(took < Duration::from_secs(5), "{took:?}");
    drop(stopped);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_acknowledgement_waits_for_a_replica_where_that_is_asked_for() {
    let Some(engine) = kit::redis::Redis::start().await else {
        return;
    };
    let options = RedisOptions {
        acks: Acks::Replica,
        timeout: Duration::from_millis(500),
        ..testing::options(&engine.url(), retention())
    };
    let opened = tokio::task::spawn_blocking(|| RedisJournal::open(options));
    let journal = opened.await.unwrap().unwrap();
    let refused = journal.append(vec![event("a")]).await.unwrap_err();
    assert!(refused.to_string().contains("no replica"), "{refused}");
    let Some(replica) = kit::redis::Redis::start().await else {
        return;
    };
    replica.follow(&engine).await;
    // Kept all the same, and not twice.
    assert_eq!(append(&journal, &["a", "b"]).await.len(), 2);
    assert_eq!(ids(&journal).await, ["a", "b"]);
}

/// An event that was there already is acknowledged when a replica has it, and not because this node wrote nothing.
#[tokio::test(flavor = "multi_thread")]
async fn a_repetition_waits_for_a_replica_too() {
    let (Some(engine), Some(replica)) = (Redis::start().await, Redis::start().await) else {
        return;
    };
    replica.follow(&engine).await;
    let options = RedisOptions {
        acks: Acks::Replica,
        timeout: Duration::from_secs(1),
        ..testing::options(&engine.url(), retention())
    };
    let (one, two) = (open(&engine.url()).await, open_with(options).await);
    append(&two, &["a"]).await;
    let stopped = Stopped::of(&replica).await;
    append(&one, &["b"]).await;
    let refused = two.append(vec![event("b")]).await.unwrap_err();
    assert!(refused.to_string().contains("no replica"), "{refused}");
    drop(stopped);
    assert_eq!(append(&two, &["b"]).await, [Outcome::Duplicate(2)]);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_engine_that_is_silent_is_told_in_words_and_found_again() {
    let Some(engine) = Redis::start().await else {
        return;
    };
    let options = RedisOptions {
        timeout: Duration::from_millis(500),
        ..testing::options(&engine.url(), retention())
    };
    let journal = open_with(options).await;
    append(&journal, &["a"]).await;
    let stopped = Stopped::of(&engine).await;
    let refused = journal.append(vec![event("b")]).await.unwrap_err();
    let refused = refused.to_string();
    assert!(refused.contains("did not answer within 500ms"), "{refused}");
    kit::until("the follower to say so", async || {
        let metrics = crate::journal::tests::counters(&journal);
        metrics.contains("journal_engine_up 0").then_some(())
    })
    .await;
    let trouble = journal.health().trouble.unwrap();
    assert!(!trouble.contains("os error"), "{trouble}");
    drop(stopped);
    append(&journal, &["b"]).await;
    kit::until("the engine to be well", async || {
        let metrics = crate::journal::tests::counters(&journal);
        metrics.contains("journal_engine_up 1").then_some(())
    })
    .await;
    assert_eq!(ids(&journal).await, ["a", "b"]);
}
