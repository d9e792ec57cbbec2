//! The task that makes a segment may panic: its place is free again, and the members that it was made for are given the
//! state.

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use futures_util::future::BoxFuture;
use tokio::sync::watch;

use super::{Hub, HubHandle, HubOptions, JoinReply, JoinRequest, Outlet, Subscription};
use crate::{
    access::authz::{Filter, Permissions},
    channel::Namespace,
    config::Recipients,
    delivery::{Cursor, Outgoing, Reclaimed},
    event::{Event, EventName, Object},
    journal::{
        Appending, Batch, Bounds, Entry, Epoch, Journal, JournalError, MemoryJournal, Retention,
        Seq,
    },
    observe::{JournalMetrics, Metrics},
    projections::state::Limits,
    update::{Table, TransformOptions, UpdateShape},
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

/// An outlet that keeps all messages, and always has room.
#[derive(Debug, Default)]
pub(super) struct Recorder {
    sent: Mutex<Vec<(String, String)>>,
    more: tokio::sync::Notify,
}

impl Recorder {
    /// Waits for a message of this name, and returns its text.
    async fn until(&self, name: &str) -> String {
        loop {
            let more = self.more.notified();
            let found = {
                let sent = self.sent.lock().unwrap();
                let found = sent.iter().find(|(n, _)| n == name);
                found.map(|(_, json)| json.clone())
            };
            match found {
                Some(json) => return json,
                None => more.await,
            }
        }
    }

    /// The number of updates of this name that it was sent.
    pub(super) fn count(&self, name: &str) -> usize {
        let sent = self.sent.lock().unwrap();
        sent.iter().filter(|(n, _)| n == name).count()
    }
}

impl Outlet for Recorder {
    fn send(&self, update: &Outgoing) -> bool {
        let said = (update.name.to_string(), update.json.clone());
        self.sent.lock().unwrap().push(said);
        self.more.notify_one();
        true
    }

    fn send_exempt(&self, update: &Outgoing) {
        self.send(update);
    }

    fn flush(&self) {}

    fn has_room(&self) -> bool {
        true
    }

    fn waiting(&self) -> usize {
        0
    }

    fn reclaim(&self, _keeps: &dyn Fn(&str) -> bool) -> Option<Reclaimed> {
        None
    }

    fn settle(&self) {}
}

pub(super) fn options() -> HubOptions {
    HubOptions {
        flush_interval: Duration::from_millis(10),
        flush_max: 1_000,
        degradation: super::DegradationOptions::default(),
        level_shares: [8, 4, 2, 1],
        producer_backlog: 1_000,
        max_room_size: 100,
        max_rooms_per_client: 100,
        max_free: (1000, 1 << 20),
        max_visitors: 1000,
        state: Limits::default(),
        seneca_broadcast: false,
        aggregates: Recipients::Nobody,
        max_dashboard: 1 << 20,
        sanitize: Recipients::Nobody,
        max_recent: 0,
        snapshot_part: 1 << 20,
        max_segment: 1 << 20,
        emit_patience: Duration::from_millis(100),
        max_delay: Duration::from_secs(600),
        default_room: "general".into(),
    }
}

/// A new client that wants to go on from a place.
async fn comes_back(hub: &HubHandle, cursor: String) -> (Arc<Recorder>, super::Membership) {
    let kept = Arc::new(Recorder::default());
    let request = JoinRequest {
        outlet: kept.clone(),
        namespace: Namespace::Root,
        client_id: "c".into(),
        user: None,
        subscription: Subscription::Filter(Filter::default()),
        permissions: Permissions::everything(),
        batch: false,
        shape: UpdateShape::Full,
        silent: false,
    };
    let welcome = JoinReply {
        rooms: vec!["observers".into()],
        own_rooms: Vec::new(),
        greeting: Some(("connection_established", Object::new())),
        snapshot: false,
        state: Vec::new(),
        requested: std::time::Instant::now(),
        resume: Some(cursor.into()),
    };
    let membership = hub.join(request, welcome).await.unwrap();
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
