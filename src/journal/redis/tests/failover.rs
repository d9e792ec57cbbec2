//! Restarts, promotions with a lost tail, and the way back.

use std::{sync::atomic::AtomicUsize, time::Duration};

use kit::redis::Redis;

use super::*;

async fn until_rewound(journal: &RedisJournal) {
    kit::until("a history that has ended", async || {
        journal.is_rewound().then_some(())
    })
    .await;
}

/// An engine with these events, and a replica that hears nothing after them.
async fn engine_and_replica(ids: &[&str]) -> Option<(Redis, Redis)> {
    let (engine, replica) = (Redis::start().await?, Redis::start().await?);
    append(&open(&engine.url()).await, ids).await;
    replica.follow(&engine).await;
    replica.promote().await;
    Some((engine, replica))
}

/// A journal that does not follow yet: nobody reads what is appended.
async fn writing(url: &str) -> RedisJournal {
    let options = RedisOptions {
        timeout: Duration::from_millis(500),
        ..testing::options(url, retention())
    };
    let opened = tokio::task::spawn_blocking(|| RedisJournal::write(options));
    opened.await.unwrap().unwrap()
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
    tokio::join!(append(&journal, &["d"]), async {
        until_rewound(&journal).await;
        journal.rewind();
    });
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
    // Events that are known are told until the live stream goes back.
    until_rewound(&one).await;
    assert_eq!(ids(&one).await, ["a", "b", "c", "d", "e"]);
    assert_eq!((one.epoch(), one.rewinds()), (before, 0));
    one.rewind();
    // Another event comes after those that were put back.
    let (kept, ()) = tokio::join!(append(&two, &["f"]), async {
        until_rewound(&two).await;
        two.rewind();
    });
    // A node that comes later has lost nothing itself.
    let three = open(&engine.url()).await;
    for (journal, rewinds) in [(&one, 1), (&two, 1), (&three, 0)] {
        assert_eq!(journal.rewinds(), rewinds);
        until_last(journal, 6).await;
        assert_eq!(ids(journal).await, ["a", "b", "c", "d", "e", "f"]);
        // The generation itself may be lost, if it began with the replica.
        assert!(journal.newest_of(before).is_none_or(|newest| newest == 2));
        let (common, now) = journal.lost(before).unwrap();
        assert_eq!(common, 2);
        assert_eq!([3, 4, 5, 6].map(now), [Some(3), Some(4), Some(5), None]);
        assert_eq!(kept, [Outcome::Stored(6)]);
    }
    drop(engine);
}

/// A promoted replica lacks the newest decisions as well: whoever is kept out stays out, on all nodes.
#[tokio::test(flavor = "multi_thread")]
async fn a_ban_that_a_promoted_replica_lacks_is_written_again() {
    use crate::decision::{Ban, Decision, DecisionKeeper, Who};
    let Some((mut engine, replica)) = engine_and_replica(&["a"]).await else {
        return;
    };
    let journal = open(&engine.url()).await;
    let ban = |name: &str| Ban {
        who: Who::User(name.into()),
        until: None,
        reason: "loud".into(),
    };
    let decision = |name: &str| vec![Decision::Ban(ban(name))];
    journal.keep(decision("zeno")).await.unwrap();
    let port = engine.port();
    engine.kill();
    let engine = kit::redis::Redis::from_dump(port, &replica).await;
    // One that comes later knows it of the engine alone, and may decide first.
    let later = open(&engine.url()).await;
    later.keep(decision("chrysippus")).await.unwrap();
    append(&journal, &["b"]).await;
    for journal in [&journal, &later] {
        let decisions = tokio::task::block_in_place(|| journal.decisions()).unwrap();
        let mut bans = decisions.bans;
        bans.sort_by(|one, other| one.who.cmp(&other.who));
        assert_eq!(bans, ["chrysippus", "zeno"].map(ban));
    }
}

/// Events that were acknowledged and read by nobody are put back by the node that published them, and nothing new is kept
/// before they are.
#[tokio::test(flavor = "multi_thread")]
async fn acknowledged_events_that_nobody_read_are_put_back_before_new_ones() {
    let Some((mut engine, replica)) = engine_and_replica(&["a", "b"]).await else {
        return;
    };
    let journal = writing(&engine.url()).await;
    let before = journal.epoch();
    for id in ["c", "d"] {
        append(&journal, &[id]).await;
    }
    let port = engine.port();
    engine.kill();
    let engine = Redis::from_dump(port, &replica).await;
    // The engine has another history, which nobody has compared.
    kit::until("the engine", async || {
        let refused = journal.append(vec![event("e")]).await.unwrap_err();
        refused.to_string().contains("history").then_some(())
    })
    .await;
    journal.follow().unwrap();
    assert_eq!(append(&journal, &["e"]).await, [Outcome::Stored(5)]);
    until_last(&journal, 5).await;
    assert_eq!(ids(&journal).await, ["a", "b", "c", "d", "e"]);
    // Nothing that was read was lost.
    assert_eq!(journal.rewinds(), 0);
    assert!(!journal.is_rewound());
    let (common, now) = journal.lost(before).unwrap();
    assert_eq!((common, [3, 4, 5].map(now)), (2, [Some(3), Some(4), None]));
    drop(engine);
}

/// A generation that ended may have events that a node has not read yet.
#[tokio::test(flavor = "multi_thread")]
async fn the_rest_of_a_generation_is_read_after_the_next_has_begun() {
    let (Some(engine), Some(replica)) = (Redis::start().await, Redis::start().await) else {
        return;
    };
    let journal = writing(&engine.url()).await;
    append(&journal, &["a", "b"]).await;
    // The first replica gives the engine's history another id.
    replica.follow(&engine).await;
    let other = open(&engine.url()).await;
    assert_ne!(other.epoch(), journal.epoch());
    journal.follow().unwrap();
    append(&journal, &["c"]).await;
    until_last(&journal, 3).await;
    assert_eq!(ids(&journal).await, ["a", "b", "c"]);
    assert_eq!(journal.rewinds(), 0);
}

/// A reader on the engine's own connection is never given events of a history that is not shown yet.
#[tokio::test(flavor = "multi_thread")]
async fn a_read_of_old_events_is_of_the_history_that_is_shown() {
    let Some((mut engine, replica)) = engine_and_replica(&["a", "b"]).await else {
        return;
    };
    let options = RedisOptions {
        // Only the newest event is in memory.
        held: crate::journal::HeldBytes {
            tail: 1,
            ..crate::journal::HeldBytes::default()
        },
        ..testing::options(&engine.url(), retention())
    };
    let journal = open_with(options).await;
    append(&journal, &["c", "d", "e"]).await;
    let port = engine.port();
    engine.kill();
    let engine = Redis::from_dump(port, &replica).await;
    until_rewound(&journal).await;
    // Another node has a place that was c's.
    let other = open(&engine.url()).await;
    append(&other, &["f", "g", "h"]).await;
    let read = journal.read(2, 10).await;
    assert!(read.is_err(), "{read:?}");
    let read = journal.read(0, 10).await.unwrap();
    assert_eq!((read.records.len(), read.to), (2, 2));
    journal.rewind();
    let found = kit::until("the other history", async || {
        let found = journal.read(0, 10).await.ok()?;
        (found.to >= 6).then_some(found)
    })
    .await;
    let found: Vec<&str> = found.records.iter().map(|r| &*r.event.id).collect();
    assert_eq!(found[..2], ["a", "b"]);
    assert!(found.contains(&"e") && found.contains(&"h"), "{found:?}");
}

/// Publishes events one after the other, each until it is taken, until it is told to stop. Returns how many there are.
async fn publish(journal: Arc<RedisJournal>, name: &'static str, taken: Arc<AtomicUsize>) -> usize {
    for n in 0.. {
        // A publisher is told to come back.
        while journal
            .append(vec![event(&format!("{name}{n}"))])
            .await
            .is_err()
        {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        if taken.fetch_add(1, Ordering::AcqRel) >= ENOUGH {
            return n + 1;
        }
    }
    0
}

/// Far more events than a test publishes: added to tell publishers to stop.
const ENOUGH: usize = 1_000_000;

async fn until_more(taken: &AtomicUsize) {
    let before = taken.load(Ordering::Acquire);
    kit::until("more events to be taken", async || {
        (taken.load(Ordering::Acquire) > before + 40).then_some(())
    })
    .await;
}

/// One engine after the other is lost with its newest events, while both nodes publish: all that was acknowledged is there
/// once, in the order in which it was published, and the nodes have the same.
#[tokio::test(flavor = "multi_thread")]
async fn whatever_was_acknowledged_stays_in_order_through_promotions() {
    let Some(mut engine) = Redis::start().await else {
        return;
    };
    let nodes = [open(&engine.url()).await, open(&engine.url()).await].map(Arc::new);
    let taken = Arc::new(AtomicUsize::new(0));
    let (mut streams, mut publishers) = (Vec::new(), Vec::new());
    for (node, name) in nodes.iter().zip(["a", "b"]) {
        let (journal, mut grown) = (node.clone(), node.watch());
        streams.push(tokio::spawn(async move {
            while grown.changed().await.is_ok() {
                journal.rewind();
            }
        }));
        publishers.push(tokio::spawn(publish(node.clone(), name, taken.clone())));
    }
    for _ in 0..4 {
        let replica = Redis::start().await.unwrap();
        let at_once = ["CONFIG", "SET", "repl-diskless-sync-delay", "0"];
        engine.command(&at_once).await;
        until_more(&taken).await;
        replica.follow(&engine).await;
        replica.promote().await;
        until_more(&taken).await;
        let port = engine.port();
        engine.kill();
        engine = Redis::from_dump(port, &replica).await;
    }
    until_more(&taken).await;
    taken.fetch_add(ENOUGH, Ordering::AcqRel);
    let mut published = Vec::new();
    for publisher in publishers {
        published.push(publisher.await.unwrap());
    }
    let all: usize = published.iter().sum();
    for node in &nodes {
        until_last(node, all as Seq).await;
        let ids = ids(node).await;
        assert_eq!(ids.len(), all);
        for (count, name) in published.iter().zip(["a", "b"]) {
            let of: Vec<&String> = ids.iter().filter(|id| id.starts_with(name)).collect();
            let wanted: Vec<String> = (0..*count).map(|n| format!("{name}{n}")).collect();
            assert!(of.iter().copied().eq(wanted.iter()), "{of:?}");
        }
    }
    assert_eq!(ids(&nodes[0]).await, ids(&nodes[1]).await);
    for stream in streams {
        stream.abort();
    }
    drop(engine);
}
