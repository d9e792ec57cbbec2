//! The inbox of a client: its events that are not handled yet, in the order in which they were sent.
//!
//! The engine would run each event's handler as a task of its own, in any order. Here events are queued
//! as they arrive, and one worker at a time handles them; it exists only while there is something to do. A full inbox
//! stops the reading of the client's socket: nothing is dropped, the client is slowed down.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use bytes::Bytes;
use socketioxide_core::Str;
use tokio::{sync::Notify, time::Instant};

use crate::doors::backend::WaitingBytes;

/// One event of a client.
#[derive(Debug)]
pub(super) struct Inbound {
    /// `["event", …]`.
    pub(super) text: Str,
    /// Binary attachments, in the order of their placeholders.
    pub(super) attachments: Vec<Bytes>,
    /// The id of the answer, if the client wants one.
    pub(super) ack: Option<i64>,
    /// The time at which it came.
    pub(super) arrived: Instant,
}

/// The queue of one client on one namespace.
#[derive(Debug, Default)]
pub(super) struct Inbox {
    queue: Mutex<Queue>,
    /// Wakes a worker that has calls to answer while no event waits.
    arrived: Notify,
    /// Counts the bytes that wait, where an application's service may be what they wait for.
    held: Option<Arc<WaitingBytes>>,
}

#[derive(Debug, Default)]
struct Queue {
    /// The events that wait, in order.
    waiting: VecDeque<Inbound>,
    /// Their bytes: beyond a bound the client's socket isn't read.
    bytes: usize,
    /// Whether a worker handles them.
    working: bool,
    /// Whether the worker waits for the next event.
    expecting: bool,
    /// Whether the lane was told that the inbox is full.
    full: bool,
    /// The reason for which the client has left, until the application's service is told.
    farewell: Option<&'static str>,
}

/// Above either bound the inbox is full; below half of both it has room again.
const MAX_WAITING: usize = 512;
const MAX_BYTES: usize = 1024 * 1024;

/// The interval at which an inbox is looked at that is to be empty.
const IDLE_CHECK_INTERVAL: Duration = Duration::from_millis(5);

/// The events that join rooms, as they are written.
const JOINING: [&str; 3] = ["\"join_room\"", "\"join\"", "\"subscribe\""];

/// The duties of the caller that pushed an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Pushed {
    /// Whether to start a worker.
    pub(super) start: bool,
    /// Whether to tell the lane that the inbox is full.
    pub(super) full: bool,
}

/// The next thing for the worker.
#[derive(Debug)]
pub(super) enum Work {
    Event(Next),
    /// The client has left, for this reason, and all of its events are handled.
    Farewell(&'static str),
}

/// The next event for the worker.
#[derive(Debug)]
pub(super) struct Next {
    pub(super) inbound: Inbound,
    /// Whether to tell the lane that there is room again.
    pub(super) has_room: bool,
}

impl Inbound {
    /// An event that has just come.
    pub(super) fn new(text: Str, attachments: Vec<Bytes>, ack: Option<i64>) -> Self {
        Self {
            text,
            attachments,
            ack,
            arrived: Instant::now(),
        }
    }

    /// Whether the event asks to be in a room. Its name is looked at before the message is read.
    pub(super) fn joins(&self) -> bool {
        let name = self.text.trim_start().strip_prefix('[');
        let name = name.map_or("", str::trim_start);
        JOINING.iter().any(|joining| name.starts_with(joining))
    }

    fn size(&self) -> usize {
        self.text.len() + self.attachments.iter().map(Bytes::len).sum::<usize>()
    }
}

impl Inbox {
    /// An inbox whose bytes are counted.
    pub(super) fn counted(held: Option<Arc<WaitingBytes>>) -> Self {
        Self {
            queue: Mutex::default(),
            arrived: Notify::default(),
            held,
        }
    }

    /// Queues an event.
    pub(super) fn push(&self, inbound: Inbound) -> Pushed {
        if let Some(held) = &self.held {
            held.add(inbound.size());
        }
        let mut queue = self.lock();
        queue.bytes += inbound.size();
        queue.waiting.push_back(inbound);
        let full = queue.waiting.len() > MAX_WAITING || queue.bytes > MAX_BYTES;
        let pushed = Pushed {
            start: !std::mem::replace(&mut queue.working, true),
            full: full && !std::mem::replace(&mut queue.full, true),
        };
        let expected = std::mem::take(&mut queue.expecting);
        drop(queue);
        if expected {
            self.arrived.notify_one();
        }
        pushed
    }

    /// Resolves when an event has come since [`Inbox::next`] found none.
    pub(super) async fn arrived(&self) {
        self.arrived.notified().await;
    }

    /// Notes that the client has left, for a worker to deal with after its events; `true` if one is to be started.
    pub(super) fn farewell(&self, reason: &'static str) -> bool {
        let mut queue = self.lock();
        queue.farewell = Some(reason);
        !std::mem::replace(&mut queue.working, true)
    }

    /// The next event. `None` means that the worker has to end, unless it `stays` to wait for the next one.
    pub(super) fn next(&self, stays: bool) -> Option<Work> {
        let mut queue = self.lock();
        let Some(inbound) = queue.waiting.pop_front() else {
            if !stays && let Some(reason) = queue.farewell.take() {
                return Some(Work::Farewell(reason));
            }
            queue.working = stays;
            queue.expecting = stays;
            return None;
        };
        queue.bytes -= inbound.size();
        if let Some(held) = &self.held {
            held.remove(inbound.size());
        }
        let room = queue.waiting.len() < MAX_WAITING / 2 && queue.bytes < MAX_BYTES / 2;
        let has_room = queue.full && room;
        if has_room {
            queue.full = false;
        }
        Some(Work::Event(Next { inbound, has_room }))
    }

    /// Waits until every event is handled, and every call answered.
    pub(super) async fn idle(&self) {
        while self.lock().working {
            tokio::time::sleep(IDLE_CHECK_INTERVAL).await;
        }
    }

    /// Holds events back until [`Inbox::open`]: a client is introduced to the hub before its events are handled.
    pub(super) fn hold(&self) {
        self.lock().working = true;
    }

    /// Releases the events; `true` if a worker is to be started.
    pub(super) fn open(&self) -> bool {
        let mut queue = self.lock();
        queue.working = !queue.waiting.is_empty() || queue.farewell.is_some();
        queue.working
    }

    fn lock(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Inbox {
    fn drop(&mut self) {
        if let Some(held) = &self.held {
            let bytes = self.lock().bytes;
            held.remove(bytes);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(n: usize) -> Inbound {
        Inbound::new(Str::from(n.to_string()), Vec::new(), None)
    }

    #[test]
    fn one_worker_in_order_and_full_is_told_once() {
        let inbox = Inbox::default();
        inbox.hold();
        let pushed: Vec<_> = (0..MAX_WAITING + 5).map(|n| inbox.push(event(n))).collect();
        assert!(
            pushed.iter().all(|p| !p.start),
            "nobody works while it is held"
        );
        assert_eq!(pushed.iter().filter(|p| p.full).count(), 1);
        assert!(inbox.open());
        let mut room = 0;
        for n in 0..MAX_WAITING + 5 {
            let Some(Work::Event(next)) = inbox.next(false) else {
                panic!("an event waits");
            };
            assert_eq!(next.inbound.text.as_str(), n.to_string());
            room += usize::from(next.has_room);
        }
        assert_eq!(room, 1);
        assert!(inbox.next(false).is_none());
        assert!(inbox.push(event(0)).start);
    }

    #[test]
    fn a_farewell_comes_after_all_events() {
        let inbox = Inbox::default();
        assert!(inbox.push(event(0)).start);
        assert!(!inbox.farewell("client disconnect"), "the worker is there");
        assert!(matches!(inbox.next(false), Some(Work::Event(_))));
        assert!(inbox.next(true).is_none(), "calls wait for their answers");
        let said = inbox.next(false);
        assert!(matches!(said, Some(Work::Farewell("client disconnect"))));
        assert!(inbox.next(false).is_none());
    }

    #[tokio::test]
    async fn a_worker_that_stays_is_woken_and_no_second_one_started() {
        let inbox = Inbox::default();
        assert!(inbox.push(event(0)).start);
        assert!(inbox.next(true).is_some());
        assert!(inbox.next(true).is_none());
        assert!(!inbox.push(event(1)).start);
        inbox.arrived().await;
        assert!(inbox.next(true).is_some());
        assert!(inbox.next(false).is_none());
        assert!(inbox.push(event(2)).start);
    }
}
