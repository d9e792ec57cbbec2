//! The journal with real engines: restarts, promotions with a lost tail, and the way back.

use std::time::Duration;

use super::{testing, *};
use crate::{
    event::{Event, EventName, Object},
    journal::{Outcome, Retention},
};

fn event(id: &str) -> Event {
    Event {
        id: id.into(),
        ..Event::new(EventName::new("task.progress"), Object::new())
    }
}

fn retention() -> Retention {
    Retention {
        max_events: 1_000_000,
        max_age: Duration::from_secs(3_600),
        max_bytes: 1 << 30,
    }
}

async fn open(url: &str) -> RedisJournal {
    let options = testing::options(url, retention());
    let opened = tokio::task::spawn_blocking(|| RedisJournal::open(options));
    opened.await.unwrap().unwrap()
}

/// Appends events, as soon as the engine takes them.
async fn append(journal: &RedisJournal, ids: &[&str]) -> Vec<Outcome> {
    let events = || ids.iter().map(|id| event(id)).collect();
    kit::until("the events to be taken", async || {
        journal.append(events()).await.ok()
    })
    .await
}

/// The ids of all events, in order.
async fn ids(journal: &RedisJournal) -> Vec<String> {
    let batch = journal.read(0, 10_000).await.unwrap();
    let ids = batch
        .records
        .iter()
        .map(|record| record.event.id.to_string());
    ids.collect()
}

async fn until_last(journal: &RedisJournal, last: Seq) {
    let mut grown = journal.watch();
    let read = grown.wait_for(|newest| *newest >= last);
    tokio::time::timeout(kit::PATIENCE, read)
        .await
        .unwrap()
        .unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn nodes_have_the_same_events_at_the_same_places() {
    let Some(engine) = kit::redis::Redis::start().await else {
        return;
    };
    let (one, two) = (open(&engine.url()).await, open(&engine.url()).await);
    assert_eq!(append(&one, &["a"]).await, [Outcome::Stored(1)]);
    assert_eq!(
        append(&two, &["a", "b"]).await,
        [Outcome::Duplicate(1), Outcome::Stored(2)]
    );
    until_last(&one, 2).await;
    assert_eq!(ids(&one).await, ["a", "b"]);
    assert_eq!(ids(&two).await, ["a", "b"]);
    assert_eq!(one.epoch(), two.epoch());
    // One that comes later reads from the engine what the others have in memory.
    let three = open(&engine.url()).await;
    assert_eq!(ids(&three).await, ["a", "b"]);
    assert_eq!(three.epoch_at(1), one.epoch());
}

#[tokio::test(flavor = "multi_thread")]
async fn another_event_with_a_known_id_is_kept_under_another() {
    let Some(engine) = kit::redis::Redis::start().await else {
        return;
    };
    let journal = open(&engine.url()).await;
    let other = Event {
        content: 7,
        ..event("a")
    };
    let events = vec![event("a"), other.clone(), event("b")];
    let kept = journal.append(events).await.unwrap();
    assert_eq!(
        kept,
        [Outcome::Stored(1), Outcome::Conflict(2), Outcome::Stored(3)]
    );
    let again = journal.append(vec![other]).await.unwrap();
    assert_eq!(again, [Outcome::Duplicate(2)]);
}

/// A restart with all events is a new generation, and nobody notices.
#[tokio::test(flavor = "multi_thread")]
async fn a_restart_of_the_engine_loses_nothing_and_names_no_place_twice() {
    let Some(mut engine) = kit::redis::Redis::lasting().await else {
        return;
    };
    let journal = open(&engine.url()).await;
    append(&journal, &["a", "b"]).await;
    let before = journal.epoch();
    engine.kill();
    // Refused at once, not after a while.
    kit::until("a refusal", async || {
        journal.append(vec![event("c")]).await.err()
    })
    .await;
    assert!(journal.health().trouble.is_some());
    engine.again().await;
    append(&journal, &["c"]).await;
    kit::until("the engine to be well", async || {
        journal.health().trouble.is_none().then_some(())
    })
    .await;
    assert_eq!(ids(&journal).await, ["a", "b", "c"]);
    assert_ne!(journal.epoch(), before);
    assert_eq!(journal.newest_of(before), Some(2));
    assert_eq!(journal.newest_of(journal.epoch()), Some(3));
    assert_eq!(journal.rewinds(), 0);
}

/// An engine that begins without anything has another journal: no cursor of the former one is good.
#[tokio::test(flavor = "multi_thread")]
async fn an_engine_that_was_emptied_has_another_journal() {
    let Some(mut engine) = kit::redis::Redis::start().await else {
        return;
    };
    let journal = open(&engine.url()).await;
    append(&journal, &["a", "b", "c"]).await;
    let before = journal.epoch();
    engine.kill();
    engine.again().await;
    append(&journal, &["d"]).await;
    kit::until("the way back", async || {
        (journal.rewinds() == 1).then_some(())
    })
    .await;
    assert_eq!(ids(&journal).await, ["d"]);
    assert_eq!(journal.newest_of(before), None);
    assert!(journal.lost(before).is_none());
}

/// A promoted replica lacks the newest events: those that a node has read come back, once, whoever puts them back, and
/// places of the former history lead to them.
#[tokio::test(flavor = "multi_thread")]
async fn a_lost_tail_is_put_back_once_by_all_nodes() {
    let Some(mut engine) = kit::redis::Redis::start().await else {
        return;
    };
    let Some(replica) = kit::redis::Redis::start().await else {
        return;
    };
    let (one, two) = (open(&engine.url()).await, open(&engine.url()).await);
    append(&one, &["a", "b"]).await;
    replica.follow(&engine).await;
    // From here on the replica hears nothing more.
    replica.promote().await;
    append(&one, &["c", "d", "e"]).await;
    until_last(&two, 5).await;
    let before = one.epoch();
    // The replica takes the address of the engine.
    let port = engine.port();
    engine.kill();
    let engine = kit::redis::Redis::from_dump(port, &replica).await;
    // Another event takes a place that was c's.
    let kept = append(&two, &["f"]).await;
    for journal in [&one, &two] {
        kit::until("the way back", async || {
            (journal.rewinds() == 1).then_some(())
        })
        .await;
        until_last(journal, 6).await;
        let mut ids = ids(journal).await;
        assert_eq!(ids[..2], ["a", "b"]);
        let places: std::collections::HashMap<String, Seq> = ids.iter().cloned().zip(1..).collect();
        ids.sort_unstable();
        assert_eq!(ids, ["a", "b", "c", "d", "e", "f"]);
        // The generation itself may be lost, if it began with the replica.
        assert!(journal.newest_of(before).is_none_or(|newest| newest == 2));
        let (common, now) = journal.lost(before).unwrap();
        assert_eq!(common, 2);
        for (lost, id) in [(3, "c"), (4, "d"), (5, "e")] {
            assert_eq!(now(lost), Some(places[id]), "{id}");
        }
        assert_eq!(kept, [Outcome::Stored(places["f"])]);
    }
    drop(engine);
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

#[tokio::test(flavor = "multi_thread")]
async fn decisions_sessions_and_texts_outlive_the_node() {
    use crate::decision::{Ban, Decision, Who};
    let Some(engine) = kit::redis::Redis::start().await else {
        return;
    };
    let journal = open(&engine.url()).await;
    let ban = |who: &str| Ban {
        who: Who::User(who.into()),
        until: None,
        reason: "loud".into(),
    };
    let decided = vec![
        Decision::Ban(ban("zeno")),
        Decision::Ban(ban("chrysippus")),
        Decision::Lift(Who::User("zeno".into())),
    ];
    journal.keep(decided).await.unwrap();
    let sessions = vec![
        ("s".to_owned(), Some("{}".to_owned())),
        ("t".to_owned(), Some("1".to_owned())),
    ];
    journal.save_sessions(sessions).await.unwrap();
    journal
        .save_sessions(vec![("t".to_owned(), None)])
        .await
        .unwrap();
    journal
        .save_text(KeptText::Analytics, "a".into())
        .await
        .unwrap();
    assert_eq!(
        journal
            .load_text(KeptText::Analytics)
            .await
            .unwrap()
            .as_deref(),
        Some("a")
    );
    drop(journal);
    let journal = open(&engine.url()).await;
    let decisions = tokio::task::block_in_place(|| journal.decisions()).unwrap();
    assert_eq!(decisions.bans, [ban("chrysippus")]);
    let sessions = journal.load_sessions().await.unwrap();
    assert_eq!(sessions, [("s".to_owned(), "{}".to_owned())]);
}

#[tokio::test(flavor = "multi_thread")]
async fn one_node_does_the_chores_and_another_takes_over() {
    let Some(engine) = kit::redis::Redis::start().await else {
        return;
    };
    let one = open(&engine.url()).await;
    kit::until("the lease", async || one.leads().then_some(())).await;
    let two = open(&engine.url()).await;
    append(&two, &["a"]).await;
    assert!(!two.leads());
    drop(one);
    kit::until("the lease", async || two.leads().then_some(())).await;
}
