//! A journal whose newest places were lost while the hub follows it: members go on from what they have, in one step.

use std::sync::{
    Arc,
    atomic::{AtomicU8, Ordering},
};

use futures_util::future::BoxFuture;
use tokio::sync::watch;

use super::{
    Hub, JoinReply,
    testing::{Recorder, options, reply, request},
};
use crate::{
    event::{Event, EventName, Object},
    journal::{
        Appending, Batch, Bounds, Entry, Epoch, Journal, JournalError, MemoryJournal, Retention,
        Seq, Way,
    },
    observe::{JournalMetrics, Metrics},
    update::{Table, TransformOptions},
};

const WHOLE: u8 = 0;
const ENDED: u8 = 1;
const REWOUND: u8 = 2;

/// A history that ends after a, b, c and d, and another one with a, b, f and c.
#[derive(Debug)]
struct Forked {
    ended: MemoryJournal,
    goes_on: MemoryJournal,
    state: AtomicU8,
    grown: watch::Sender<Seq>,
}

impl Forked {
    fn shown(&self) -> &MemoryJournal {
        match self.state.load(Ordering::Acquire) {
            REWOUND => &self.goes_on,
            _ => &self.ended,
        }
    }

    async fn publish(&self, ids: &[&str]) {
        let shown = self.shown();
        shown.append(events(ids)).await.unwrap();
        self.grown.send_replace(shown.bounds().last);
    }
}

impl Journal for Forked {
    fn epoch(&self) -> Epoch {
        self.shown().epoch()
    }

    fn newest_of(&self, epoch: Epoch) -> Option<Seq> {
        let is_ended = epoch == self.ended.epoch() && epoch != self.epoch();
        match is_ended {
            true => Some(2),
            false => self.shown().newest_of(epoch),
        }
    }

    fn append_entries(&self, entries: Vec<Entry>) -> Appending {
        self.shown().append_entries(entries)
    }

    fn read(&self, after: Seq, limit: usize) -> BoxFuture<'_, Result<Batch, JournalError>> {
        self.shown().read(after, limit)
    }

    fn release(&self, _read: Seq) {}

    fn is_rewound(&self) -> bool {
        self.state.load(Ordering::Acquire) == ENDED
    }

    fn rewind(&self) {
        let rewind =
            self.state
                .compare_exchange(ENDED, REWOUND, Ordering::AcqRel, Ordering::Acquire);
        if rewind.is_ok() {
            self.grown.send_replace(self.goes_on.bounds().last);
        }
    }

    fn rewinds(&self) -> u64 {
        u64::from(self.state.load(Ordering::Acquire) == REWOUND)
    }

    fn lost(&self, epoch: Epoch) -> Option<(Seq, Way)> {
        let is_ended = epoch == self.ended.epoch() && epoch != self.epoch();
        is_ended.then(|| -> (Seq, Way) { (2, Box::new(|seq| (seq == 3).then_some(4))) })
    }

    fn bounds(&self) -> Bounds {
        self.shown().bounds()
    }

    fn watch(&self) -> watch::Receiver<Seq> {
        self.grown.subscribe()
    }

    fn metrics(&self) -> JournalMetrics {
        JournalMetrics::default()
    }
}

fn events(ids: &[&str]) -> Vec<Event> {
    let event = |id: &&str| Event {
        id: (*id).into(),
        ..Event::new(EventName::new("decision.logged"), Object::new())
    };
    ids.iter().map(event).collect()
}

fn memory() -> MemoryJournal {
    MemoryJournal::new(Retention {
        max_events: 1_000,
        max_age: std::time::Duration::from_secs(3_600),
        max_bytes: 1 << 30,
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn members_are_told_what_they_lack_of_the_history_that_goes_on() {
    let journal = Arc::new(Forked {
        ended: memory(),
        goes_on: memory(),
        state: AtomicU8::new(WHOLE),
        grown: watch::channel(0).0,
    });
    journal.publish(&["a", "b"]).await;
    let goes_on = journal.goes_on.append(events(&["a", "b", "f", "c"]));
    goes_on.await.unwrap();
    let table = Table::new(TransformOptions::default());
    let (mut hub, handle, _) = Hub::new(options(), journal.clone(), table, Metrics::new());
    hub.restore().await.unwrap();
    tokio::spawn(hub.run());
    let joins = async |name: &str| {
        let kept = Arc::new(Recorder::default());
        let welcome = JoinReply {
            rooms: vec!["observers".into()],
            greeting: Some(("connection_established", Object::new())),
            ..reply()
        };
        let membership = handle.join(request(kept.clone(), name), welcome).await;
        (kept, membership.unwrap())
    };
    let (first, _stays) = joins("first").await;
    journal.publish(&["c", "d"]).await;
    let has = async |kept: &Recorder, ids: &[&str]| {
        kit::until("these updates", async || {
            (kept.texts("decision_event").len() >= ids.len()).then_some(())
        })
        .await;
        let texts = kept.texts("decision_event");
        let ids: Vec<String> = ids.iter().map(|id| format!("\"id\":\"{id}\"")).collect();
        let are_these = texts.iter().zip(&ids).all(|(text, id)| text.contains(id));
        assert!(are_these && texts.len() == ids.len(), "{texts:?}");
    };
    has(&first, &["c", "d"]).await;
    // The engine has another history; everything is told of this one until the hub goes back.
    let (second, _stays_too) = joins("second").await;
    journal.state.store(ENDED, Ordering::Release);
    journal.grown.send_modify(|_| {});
    kit::until("the way back", async || {
        (journal.rewinds() == 1).then_some(())
    })
    .await;
    journal.publish(&["g"]).await;
    // A client with c and d lacks f; so does one that has come after d.
    has(&first, &["c", "d", "f", "g"]).await;
    has(&second, &["f", "g"]).await;
    let last = first.texts("decision_event").pop().unwrap();
    let epoch = crate::delivery::Cursor::at(journal.epoch(), 5).to_string();
    assert!(last.contains(&format!("\"cursor\":\"{epoch}\"")), "{last}");
    handle.stop().await;
}
