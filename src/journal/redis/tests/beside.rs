//! All that is kept beside events, and the chores that one node does for all.

use kit::redis::Redis;

use super::*;

pub(super) async fn until_leading(journal: &RedisJournal) {
    kit::until("the lease", async || journal.leads().then_some(())).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn decisions_sessions_and_texts_outlive_the_node() {
    use crate::decision::{Ban, Decision, Who};
    let Some(engine) = kit::redis::Redis::start().await else {
        return;
    };
    // A node's sessions are its own.
    let options = testing::options(&engine.url(), retention());
    let journal = open_with(options.clone()).await;
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
    let journal = open_with(options).await;
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

/// Two processes that were given one name are two: one has the lease, and the end of the other does not take it.
#[tokio::test(flavor = "multi_thread")]
async fn a_lease_is_of_one_process() {
    let Some(engine) = Redis::start().await else {
        return;
    };
    let named = || RedisOptions {
        node: "a".into(),
        ..testing::options(&engine.url(), retention())
    };
    let one = open_with(named()).await;
    until_leading(&one).await;
    let two = open_with(named()).await;
    append(&two, &["a"]).await;
    assert!(one.leads() && !two.leads());
    drop(two);
    let three = open_with(named()).await;
    append(&three, &["b"]).await;
    assert!(one.leads() && !three.leads());
}

/// The newest checkpoint is the one of the latest place, of events that the engine has, by the node that leads.
#[tokio::test(flavor = "multi_thread")]
async fn a_checkpoint_is_replaced_by_newer_ones_alone() {
    let Some(engine) = Redis::start().await else {
        return;
    };
    let (one, two) = (open(&engine.url()).await, open(&engine.url()).await);
    append(&one, &["a", "b", "c"]).await;
    kit::until("a lease", async || {
        (one.leads() || two.leads()).then_some(())
    })
    .await;
    let (leads, other) = if one.leads() {
        (&one, &two)
    } else {
        (&two, &one)
    };
    let epoch = leads.epoch();
    let saved = async |journal: &RedisJournal, at| {
        journal.save_checkpoint_part(at, 0, "x".into()).await?;
        journal.save_checkpoint(at, "y".into()).await
    };
    saved(leads, (epoch, 2)).await.unwrap();
    let newest = other.newest_checkpoint().await.unwrap().unwrap();
    assert_eq!((newest.seq, newest.parts), (2, Some(2)));
    let part = async |of: &Checkpoint, part| other.load_checkpoint(of, part).await.unwrap();
    assert_eq!(part(&newest, 0).await.as_deref(), Some("x"));
    assert_eq!(part(&newest, 1).await.as_deref(), Some("y"));
    // An older one is not wanted; one of another history or of another node is no good.
    saved(leads, (epoch, 1)).await.unwrap();
    saved(leads, (Epoch(epoch.0.wrapping_add(1)), 3))
        .await
        .unwrap_err();
    saved(leads, (epoch, 4)).await.unwrap_err();
    saved(other, (epoch, 3)).await.unwrap_err();
    assert_eq!(leads.newest_checkpoint().await.unwrap().unwrap(), newest);
    saved(leads, (epoch, 3)).await.unwrap();
    let replaced = leads.newest_checkpoint().await.unwrap().unwrap();
    assert_eq!(replaced.seq, 3);
    // Its parts are not mixed with those of the next.
    assert_eq!(part(&newest, 1).await, None);
    assert_eq!(part(&replaced, 1).await.as_deref(), Some("y"));
}

/// A checkpoint that was kept whole when a later part failed is not replaced by one that lacks parts.
#[tokio::test(flavor = "multi_thread")]
async fn a_checkpoint_without_all_parts_is_none() {
    let Some(engine) = Redis::start().await else {
        return;
    };
    let journal = open(&engine.url()).await;
    append(&journal, &["a"]).await;
    until_leading(&journal).await;
    let at = (journal.epoch(), 1);
    for part in 0..3 {
        let saved = journal.save_checkpoint_part(at, part, "x".into()).await;
        saved.unwrap();
    }
    let keys = Keys::of("test");
    let mut connection = engine.connection().await;
    let mut find = redis::cmd("KEYS");
    find.arg(format!("{}:1:*", keys.checkpoint.replace(['{', '}'], "?")));
    let parts: Vec<String> = find.query_async(&mut connection).await.unwrap();
    engine.command(&["HDEL", &parts[0], "1"]).await;
    let saved = journal.save_checkpoint(at, "y".into()).await;
    assert!(saved.is_err());
    assert!(journal.newest_checkpoint().await.unwrap().is_none());
}

/// Events that are over a bound go in steps, and never those that the newest checkpoint does not hold.
#[tokio::test(flavor = "multi_thread")]
async fn large_events_are_let_go_of_in_steps() {
    let Some(engine) = Redis::start().await else {
        return;
    };
    let options = testing::options(
        &engine.url(),
        Retention {
            max_events: 40,
            ..retention()
        },
    );
    let journal = open_with(options).await;
    until_leading(&journal).await;
    let large = |n: usize| Event {
        data: serde_json::Map::from_iter([("text".to_owned(), "x".repeat(20_000).into())]),
        ..event(&format!("e{n}"))
    };
    journal.append((0..400).map(large).collect()).await.unwrap();
    let at = (journal.epoch(), 380);
    journal.save_checkpoint(at, "{}".into()).await.unwrap();
    // Seven are in an entry: it goes when its last is over the bound.
    kit::until("the bound", async || {
        (journal.bounds().first == 358).then_some(())
    })
    .await;
    let ids: u64 = redis::cmd("HLEN")
        .arg(&Keys::of("test").ids)
        .query_async(&mut engine.connection().await)
        .await
        .unwrap();
    assert_eq!(ids, 43);
    let trimmed = crate::journal::tests::counters(&journal);
    let counted = "events_trimmed_total{reason=\"count\"} 357";
    assert!(trimmed.contains(counted), "{trimmed}");
}
