//! The journal with real engines.

mod beside;
mod failover;
mod faults;

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
    open_with(testing::options(url, retention())).await
}

async fn open_with(options: RedisOptions) -> RedisJournal {
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
    let (mut ids, mut at) = (Vec::new(), 0);
    loop {
        let batch = journal.read(at, 10_000).await.unwrap();
        if batch.is_end(at) {
            return ids;
        }
        at = batch.to;
        let records = batch.records.iter();
        ids.extend(records.map(|record| record.event.id.to_string()));
    }
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

/// A client may come with a cursor that another node has told it a moment ago.
#[tokio::test(flavor = "multi_thread")]
async fn a_place_of_another_node_is_waited_for() {
    let Some(engine) = kit::redis::Redis::start().await else {
        return;
    };
    let (one, two) = (open(&engine.url()).await, open(&engine.url()).await);
    for n in 0..50 {
        let kept = append(&one, &[&format!("e{n}")]).await;
        let (epoch, seq) = (one.epoch(), kept[0].seq());
        two.reach(epoch, seq).await;
        assert!(two.newest_of(epoch).is_some_and(|newest| newest >= seq));
    }
}

/// Events of one call share entries of the stream, and are read from any place on.
#[tokio::test(flavor = "multi_thread")]
async fn events_of_one_call_are_each_at_a_place_of_their_own() {
    let Some(engine) = kit::redis::Redis::start().await else {
        return;
    };
    let journal = open(&engine.url()).await;
    append(&journal, &["known"]).await;
    let name = |n: usize| format!("e{n}");
    let mut events: Vec<Event> = (0..1_200).map(|n| event(&name(n))).collect();
    // One that is there, one twice in the call, and another one with the same id.
    events.insert(5, event("known"));
    events.insert(10, event(&name(0)));
    let other = Event {
        content: 7,
        ..event(&name(1))
    };
    events.insert(15, other);
    let outcomes = journal.append(events).await.unwrap();
    assert_eq!(outcomes[5], Outcome::Duplicate(1));
    assert_eq!(outcomes[10], Outcome::Duplicate(2));
    assert_eq!(outcomes[15], Outcome::Conflict(15));
    let places: Vec<Seq> = outcomes.iter().map(|outcome| outcome.seq()).collect();
    let new = places.iter().filter(|seq| ![1, 2].contains(seq));
    assert!(new.copied().eq(3..=1_202), "{places:?}");
    let entries: u64 = engine.ask(&["XLEN", &Keys::of("test").stream]).await;
    assert!(entries < 25, "{entries}");
    // One that comes later reads all of it from the engine.
    let later = open(&engine.url()).await;
    let all = ids(&later).await;
    assert_eq!(all.len(), 1_202);
    assert_eq!((&*all[0], &*all[1], &*all[1_201]), ("known", "e0", "e1199"));
    for (after, limit) in [(0, 1), (17, 1), (600, 3), (1_201, 5)] {
        let batch = later.read(after, limit).await.unwrap();
        let read: Vec<_> = batch.records.iter().map(|record| record.seq).collect();
        let end = 1_202.min(after + limit as Seq);
        assert!(read.iter().copied().eq(after + 1..=end), "{read:?}");
        assert_eq!(batch.to, end);
    }
}
