//! The task that makes a segment may panic: its place is free again, and the members that it was made for are given the
//! state.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use futures_util::future::BoxFuture;
use tokio::sync::watch;

use super::{
    Hub, HubHandle, JoinReply,
    testing::{Recorder, options, reply, request},
};
use crate::{
    delivery::Cursor,
    event::{Event, EventName, Object},
    journal::{
        Appending, Batch, Bounds, Entry, Epoch, Journal, JournalError, MemoryJournal, Retention,
        Seq,
    },
    observe::{JournalMetrics, Metrics},
    update::{Table, TransformOptions},
};

/// Records from this place on are read as usual.
const GOOD: Seq = 300;
const LAST: Seq = 1_000;

/// A journal whose reader panics at old places once it is armed.
#[derive(Debug)]
struct Panicking {
    inner: MemoryJournal,
    armed: AtomicBool,
}

impl Journal for Panicking {
    fn epoch(&self) -> Epoch {
        self.inner.epoch()
    }

    fn append_entries(&self, entries: Vec<Entry>) -> Appending {
        self.inner.append_entries(entries)
    }

    fn read(&self, after: Seq, limit: usize) -> BoxFuture<'_, Result<Batch, JournalError>> {
        if after < GOOD && self.armed.load(Ordering::Relaxed) {
            return Box::pin(async { panic!("as a fault in the making of a segment would") });
        }
        self.inner.read(after, limit)
    }

    fn release(&self, read: Seq) {
        self.inner.release(read);
    }

    fn bounds(&self) -> Bounds {
        self.inner.bounds()
    }

    fn watch(&self) -> watch::Receiver<Seq> {
        self.inner.watch()
    }

    fn metrics(&self) -> JournalMetrics {
        self.inner.metrics()
    }
}

/// A new client that wants to go on from a place.
async fn comes_back(hub: &HubHandle, cursor: String) -> (Arc<Recorder>, super::Membership) {
    let kept = Arc::new(Recorder::default());
    let welcome = JoinReply {
        rooms: vec!["observers".into()],
        greeting: Some(("connection_established", Object::new())),
        resume: Some(cursor.into()),
        ..reply()
    };
    let membership = hub.join(request(kept.clone(), "c"), welcome).await.unwrap();
    (kept, membership)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_task_that_panics_frees_its_place() {
    let journal = Arc::new(Panicking {
        inner: MemoryJournal::new(Retention {
            max_events: 10_000,
            max_age: Duration::from_secs(3_600),
            max_bytes: 1 << 30,
        }),
        armed: AtomicBool::new(false),
    });
    let events = (0..LAST).map(|_| Event::new(EventName::new("decision.logged"), Object::new()));
    journal.append(events.collect()).await.unwrap();
    let metrics = Metrics::new();
    let table = Table::new(TransformOptions::default());
    let (mut hub, handle, _) = Hub::new(options(), journal.clone(), table, metrics.clone());
    hub.restore().await.unwrap();
    tokio::spawn(hub.run());

    journal.armed.store(true, Ordering::Relaxed);
    let place = |seq: Seq| Cursor::at(journal.epoch(), seq).to_string();
    let (lost, _stays) = comes_back(&handle, place(10)).await;
    let (other, _stays_too) = comes_back(&handle, place(GOOD)).await;
    let resumed = other.until("resumed").await;
    assert!(resumed.contains("\"complete\":true"), "{resumed}");
    assert_eq!(other.count("decision_event") as u64, LAST - GOOD);
    let resumed = lost.until("resumed").await;
    assert!(resumed.contains("\"complete\":false"), "{resumed}");
    lost.until("snapshot").await;
    let text = metrics.text();
    for counted in [
        "stoa_replays_failed_total 3",
        "stoa_replays_given_up_total{reason=\"unreadable\"} 1",
    ] {
        assert!(text.contains(counted), "{counted} in {text}");
    }
    handle.stop().await;
}
