//! The behaviour of every kind of journal.

use std::time::Duration;

use super::*;
use crate::event::{EventName, Object};

fn event(id: &str) -> Event {
    Event {
        id: id.into(),
        ..Event::new(EventName::new("task.progress"), Object::new())
    }
}

/// The folder and the engines of a test's journals, which go with the test.
type Kept = (tempfile::TempDir, Vec<kit::redis::Redis>);

/// A journal of each kind, and on each engine. An engine that is not installed is left out, and said to be.
async fn journals(max_events: usize) -> (Vec<Box<dyn Journal>>, Kept) {
    let retention = Retention {
        max_events,
        max_age: Duration::from_secs(3600),
        max_bytes: 1 << 30,
    };
    let folder = tempfile::tempdir().unwrap();
    let file = SqliteJournal::open(&SqliteOptions {
        path: folder.path().join("sub/stoa.db"),
        durability: Durability::Process,
        retention,
        held: HeldBytes::default(),
        breaker: crate::breaker::Breaker::alone("journal", Duration::from_millis(200)),
    });
    let mut journals: Vec<Box<dyn Journal>> = vec![
        Box::new(MemoryJournal::new(retention)),
        Box::new(file.unwrap()),
    ];
    let mut engines = Vec::new();
    for program in kit::redis::engines() {
        let engine = kit::redis::Redis::of(&program, &[]).await;
        let options = redis::testing::options(&engine.url(), retention);
        let journal = tokio::task::spawn_blocking(|| RedisJournal::open(options));
        journals.push(Box::new(journal.await.unwrap().unwrap()));
        engines.push(engine);
    }
    (journals, (folder, engines))
}

/// Waits until the journal has trimmed the events before `first`.
async fn until_first(journal: &dyn Journal, first: Seq) {
    let started = std::time::Instant::now();
    while journal.bounds().first != first {
        assert!(
            started.elapsed() < Duration::from_secs(60),
            "{:?}",
            journal.bounds()
        );
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

#[tokio::test]
async fn keeps_order_and_answers_duplicates_with_the_first_place() {
    let (journals, _kept) = journals(100).await;
    for journal in journals {
        let first = journal
            .append(vec![event("a"), event("b"), event("a")])
            .await
            .unwrap();
        assert_eq!(
            first,
            [
                Outcome::Stored(1),
                Outcome::Stored(2),
                Outcome::Duplicate(1)
            ]
        );
        let second = journal.append(vec![event("b"), event("c")]).await.unwrap();
        assert_eq!(second, [Outcome::Duplicate(2), Outcome::Stored(3)]);
        let ids: Vec<_> = journal
            .read(1, 10)
            .await
            .unwrap()
            .records
            .iter()
            .map(|r| r.event.id.to_string())
            .collect();
        assert_eq!(ids, ["b", "c"]);
        assert_eq!(*journal.watch().borrow(), 3);
    }
}

#[tokio::test]
async fn retention_trims_the_oldest_and_forgets_their_ids() {
    let (journals, _kept) = journals(2).await;
    for journal in journals {
        // An engine lets go of events that came together when the last of them is too many.
        for id in ["a", "b", "c"] {
            journal.append(vec![event(id)]).await.unwrap();
        }
        let all = Bounds { first: 1, last: 3 };
        assert_eq!(journal.bounds(), all, "what is still to be sent is kept");
        journal.release(3);
        kit::until("the lease", async || journal.leads().then_some(())).await;
        let at = (journal.epoch(), 3);
        journal.save_checkpoint(at, "{}".into()).await.unwrap();
        until_first(&*journal, 2).await;
        assert_eq!(journal.bounds(), Bounds { first: 2, last: 3 });
        let places: Vec<_> = journal
            .read(0, 10)
            .await
            .unwrap()
            .records
            .iter()
            .map(|r| r.seq)
            .collect();
        assert_eq!(places, [2, 3]);
        assert_eq!(
            journal.append(vec![event("a")]).await.unwrap(),
            [Outcome::Stored(4)]
        );
    }
}

/// An event whose parsed form holds a hundred times its text.
fn dear(id: &str) -> Event {
    let maps = serde_json::json!({ "l": vec![serde_json::json!({ "": 0 }); 2_000] });
    Event {
        data: maps.as_object().cloned().unwrap(),
        ..event(id)
    }
}

#[tokio::test]
async fn what_is_dear_to_hold_is_kept_as_text_and_read_in_portions() {
    let entry = Entry::new(dear("a"));
    assert!(
        entry.held() < 20_000 && dear("a").held() > 1_000_000,
        "{}",
        entry.held()
    );
    let (journals, _kept) = journals(1_000).await;
    for journal in journals {
        let ids: Vec<String> = (0..40).map(|n| format!("d{n}")).collect();
        let events = ids.iter().map(|id| dear(id)).collect();
        journal.append(events).await.unwrap();
        let (mut after, mut reads, mut found) = (0, 0, Vec::new());
        loop {
            let batch = journal.read(after, 1_000).await.unwrap();
            if batch.is_end(after) {
                break;
            }
            let held: usize = batch.records.iter().map(|record| record.held).sum();
            assert!(held < READ_BYTES + 2 * dear("a").held(), "{held}");
            after = batch.to;
            reads += 1;
            found.extend(batch.records.iter().map(|r| r.event.id.to_string()));
        }
        assert_eq!(found, ids);
        assert!(reads > 3, "{reads}");
    }
}

#[tokio::test]
async fn bytes_bound_what_is_kept_too_and_every_event_that_goes_is_counted() {
    let retention = Retention {
        max_events: 1_000_000,
        max_age: Duration::from_secs(3_600),
        max_bytes: 200_000,
    };
    let journal = MemoryJournal::new(retention);
    let text = || {
        let data = serde_json::json!({ "text": "x".repeat(1_000) });
        data.as_object().cloned().unwrap()
    };
    let batch = |from: u64| {
        let ids = from..from + 100;
        let event = |n: u64| Event {
            data: text(),
            ..event(&format!("e{n}"))
        };
        ids.map(event).collect::<Vec<_>>()
    };
    // Events that the live stream has not read must not go: then producers are refused.
    let mut next = 0;
    let refused = loop {
        match journal.append(batch(next)).await {
            Ok(_) => next += 100,
            Err(error) => break error,
        }
        assert!(next < 10_000);
    };
    assert_eq!(refused, JournalError::Overloaded);
    assert_eq!(journal.bounds().first, 1);
    journal.release(next);
    let first = journal.bounds().first;
    assert!(first > 1 && first < next, "{first}");
    journal.append(batch(next)).await.unwrap();
    let counted = counters(&journal);
    let gone = journal.bounds().first - 1;
    assert!(
        counted.contains(&format!("events_trimmed_total{{reason=\"bytes\"}} {gone}")),
        "{counted}"
    );
}

/// The counters of a journal, as `/metrics` shows them.
pub(super) fn counters(journal: &dyn Journal) -> String {
    let metrics = crate::observe::Metrics::new();
    metrics.add_journal(&journal.metrics());
    metrics.text()
}
