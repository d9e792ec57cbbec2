//! The backlog: the events of each producer that are in flight, which means accepted and not yet sent.
//!
//! ```text
//!  intake ─▶ taken ─▶ journal ─▶ hub reads ─▶ unsent ─▶ flush
//!    ▲                                                    │
//!    └──── the next of its calls, in their order ◀────────┘
//! ```
//!
//! Events are read in the order of their acceptance: each is behind all earlier ones, of any producer. So each producer
//! may have its part of a common bound in flight, and its next call waits until as much has been sent. Others don't
//! wait for it, and a producer with nothing in flight never waits. Producers that share a turn count as one here:
//! otherwise a user with many tokens for a project would have as many parts, and all others less. Of their calls, the
//! next is that of the producer that was given least since it came.
//!
//! Calls of one producer that wait at the same time have no order among them, because none of them is answered yet.
//! Several programs may share one address, so calls of similar size wait in one line, and the lines take turns by the
//! events that they were given: a quiet program waits for the events in flight, and not for all waiting calls.
//!
//! Nobody polls: when events are done, their room goes to the first waiting call.

mod line;

use std::{
    cmp::Reverse,
    collections::{BTreeSet, BinaryHeap, HashMap},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};

use tokio::sync::{Notify, futures::Notified, oneshot};

use crate::journal::{FlowId, Seq};
use line::Line;

/// Events that the producers of one turn may always have in flight, for any number of turns.
const MIN_TURN_EVENTS: usize = 64;

/// The backlog, shared by the intake, which takes places, and the hub, which reports its progress.
#[derive(Debug)]
pub struct Backlog {
    /// The last record that the hub read, minus the events that are unsent.
    done: AtomicU64,
    /// Wakes producers that wait for the hub.
    moved: Notify,
    /// Events that may be in flight, for all producers together.
    most: usize,
    inner: Mutex<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    /// The producers with events in flight or waiting calls.
    flows: HashMap<FlowId, Flow>,
    /// The turns that producers share.
    turns: HashMap<u64, Sharers>,
    /// Kept calls that the hub has not read to their end: their last place, the producer, the number of events.
    kept: BinaryHeap<Reverse<(Seq, FlowId, usize)>>,
    /// The last record that the hub read.
    read: Seq,
    /// Whether the hub is gone: nobody would end a waiting.
    ended: bool,
}

/// Wakes a waiting call and gives it its place.
type Waiter = oneshot::Sender<Place>;

/// The events of one producer that are in flight.
#[derive(Debug, Default)]
struct Flow {
    /// Events that the hub has not read.
    taken: usize,
    /// Updates that it has not sent.
    unsent: usize,
    /// The waiting calls.
    line: Line<Waiter>,
    /// The events that it was given, counted against the other producers of its turn.
    given: usize,
}

/// The producers that share a turn.
#[derive(Debug, Default)]
struct Sharers {
    /// The number of these producers.
    flows: usize,
    /// The events of all of them that are in flight.
    in_flight: usize,
    /// The producers with waiting calls, by the events that they were given.
    waiting: BTreeSet<(usize, u64)>,
    /// The events that the last producer had been given when its call went on: a producer that comes later, or was
    /// idle, begins there.
    floor: usize,
}

impl Flow {
    fn in_flight(&self) -> usize {
        self.taken + self.unsent
    }
}

/// The events of a call that are in flight; given back when it is dropped, unless the journal's place for them is
/// known.
#[derive(Debug)]
pub struct Place {
    backlog: Arc<Backlog>,
    flow: FlowId,
    events: usize,
}

/// Calls whose turn has come.
type Granted = Vec<(Waiter, Place)>;

impl Backlog {
    /// A backlog in which `most` events may be in flight.
    pub fn new(most: usize) -> Arc<Self> {
        Arc::new(Self {
            done: AtomicU64::new(0),
            moved: Notify::new(),
            most,
            inner: Mutex::default(),
        })
    }

    /// The hub's progress: the last record that it read, minus the events that are unsent.
    pub fn done(&self) -> Seq {
        self.done.load(Ordering::Acquire)
    }

    /// Resolves when the hub has made progress, or something else changed for producers that wait for it.
    pub fn moved(&self) -> Notified<'_> {
        self.moved.notified()
    }

    /// Notes that the journal did not keep events: the hub has fewer events before it, though it made no progress.
    pub fn lost(&self) {
        self.moved.notify_waiters();
    }

    /// A place for a call's events.
    ///
    /// # Errors
    /// The producer has its part in flight: the receiver gets the place later.
    pub fn take(
        self: &Arc<Self>,
        flow: FlowId,
        events: usize,
    ) -> Result<Place, oneshot::Receiver<Place>> {
        // A call without events takes a place, too, so that it is given back like any other.
        let events = events.max(1);
        let mut inner = self.lock();
        let part = self.part(&inner, flow.turn);
        let ended = inner.ended;
        let (own, sharers) = inner.enter(flow);
        if ended || (sharers.waiting.is_empty() && fits(sharers.in_flight, events, part)) {
            own.given = own.given.max(sharers.floor);
            own.go_on(sharers, events);
            return Ok(self.place(flow, events));
        }
        let (tell, mut coming) = oneshot::channel();
        if own.line.is_empty() {
            own.given = own.given.max(sharers.floor);
            sharers.waiting.insert((own.given, flow.producer));
        }
        own.line.push((events, tell));
        // There may be room for this call, though not for larger ones before it.
        let mut granted = Vec::new();
        self.grant(&mut inner, flow.turn, &mut granted);
        drop(inner);
        hand_out(granted);
        coming.try_recv().map_err(|_| coming)
    }

    /// Takes the hub's report: its progress, and the producers with another number of unsent updates.
    pub fn report(self: &Arc<Self>, read: Seq, unsent: usize, changed: Vec<(FlowId, usize)>) {
        let done = read.saturating_sub(unsent as u64);
        if self.done.swap(done, Ordering::AcqRel) != done {
            self.moved.notify_waiters();
        }
        let mut granted = Vec::new();
        let mut inner = self.lock();
        if inner.read == read && changed.is_empty() {
            return;
        }
        inner.read = inner.read.max(read);
        let mut touched = Vec::with_capacity(changed.len());
        for (flow, unsent) in changed {
            if unsent > 0 || inner.flows.contains_key(&flow) {
                let (own, sharers) = inner.enter(flow);
                sharers.in_flight = sharers.in_flight + unsent - own.unsent;
                own.unsent = unsent;
                touched.push(flow);
            }
        }
        while let Some(&Reverse((last, flow, events))) = inner.kept.peek()
            && last <= inner.read
        {
            inner.kept.pop();
            inner.give_back(flow, events);
            touched.push(flow);
        }
        // Producers without events come first: the others' parts are larger without them.
        for &flow in &touched {
            inner.forget(flow);
        }
        for flow in touched {
            self.grant(&mut inner, flow.turn, &mut granted);
        }
        drop(inner);
        hand_out(granted);
    }

    /// Notes that the hub is gone: nobody waits for it any more.
    pub fn end(self: &Arc<Self>) {
        self.done.store(Seq::MAX, Ordering::Release);
        self.moved.notify_waiters();
        let mut granted = Vec::new();
        let mut inner = self.lock();
        inner.ended = true;
        let turns: Vec<u64> = inner.turns.keys().copied().collect();
        for turn in turns {
            self.grant(&mut inner, turn, &mut granted);
        }
        drop(inner);
        hand_out(granted);
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn place(self: &Arc<Self>, flow: FlowId, events: usize) -> Place {
        Place {
            backlog: self.clone(),
            flow,
            events,
        }
    }

    /// The events that the producers of one turn may have in flight.
    fn part(&self, inner: &Inner, turn: u64) -> usize {
        let others = inner.turns.len() - usize::from(inner.turns.contains_key(&turn));
        (self.most / (others + 1)).max(MIN_TURN_EVENTS)
    }

    /// Lets waiting calls go on that fit into their turn's part now.
    fn grant(self: &Arc<Self>, inner: &mut Inner, turn: u64, granted: &mut Granted) {
        let part = self.part(inner, turn);
        let ended = inner.ended;
        while let Some(sharers) = inner.turns.get_mut(&turn)
            && let Some(&(_, producer)) = sharers.waiting.first()
        {
            let flow = FlowId { turn, producer };
            let Some(own) = inner.flows.get_mut(&flow) else {
                break;
            };
            let Some(calls) = own.line.next() else {
                break;
            };
            // A call whose producer hung up needs no place.
            let goes = |(events, tell): &mut line::Call<Waiter>| {
                tell.is_closed() || ended || fits(sharers.in_flight, *events, part)
            };
            let Some((events, tell)) = calls.pop_front_if(goes) else {
                break;
            };
            sharers.waiting.pop_first();
            if !tell.is_closed() {
                own.go_on(sharers, events);
                granted.push((tell, self.place(flow, events)));
            }
            if own.line.is_empty() {
                inner.forget(flow);
            } else {
                sharers.waiting.insert((own.given, producer));
            }
        }
    }
}

impl Flow {
    /// Lets a call of so many events go on.
    fn go_on(&mut self, sharers: &mut Sharers, events: usize) {
        self.taken += events;
        sharers.floor = sharers.floor.max(self.given);
        self.given += events;
        self.line.give(events);
        sharers.in_flight += events;
    }
}

impl Inner {
    /// A producer, and the producers of its turn.
    fn enter(&mut self, flow: FlowId) -> (&mut Flow, &mut Sharers) {
        let sharers = self.turns.entry(flow.turn).or_default();
        let own = self.flows.entry(flow).or_insert_with(|| {
            sharers.flows += 1;
            Flow::default()
        });
        (own, sharers)
    }

    /// Forgets a producer that has nothing left.
    fn forget(&mut self, flow: FlowId) {
        let done = |own: &Flow| own.in_flight() == 0 && own.line.is_empty();
        if !self.flows.get(&flow).is_some_and(done) {
            return;
        }
        self.flows.remove(&flow);
        if let Some(sharers) = self.turns.get_mut(&flow.turn) {
            sharers.flows -= 1;
            if sharers.flows == 0 {
                self.turns.remove(&flow.turn);
            }
        }
    }

    fn give_back(&mut self, flow: FlowId, events: usize) {
        if let Some(own) = self.flows.get_mut(&flow) {
            let events = events.min(own.taken);
            own.taken -= events;
            if let Some(sharers) = self.turns.get_mut(&flow.turn) {
                sharers.in_flight -= events;
            }
        }
    }
}

/// Whether a call may go on. A call alone always may, whatever its size.
fn fits(in_flight: usize, events: usize, part: usize) -> bool {
    in_flight == 0 || in_flight + events <= part
}

/// Gives waiting calls their places. If a call is gone meanwhile, its place is dropped, which takes the lock: so the
/// lock must be free.
fn hand_out(granted: Granted) {
    for (tell, place) in granted {
        tell.send(place).ok();
    }
}

impl Place {
    /// Reduces the place to the events that go on: the others were not accepted.
    pub fn shrink(&mut self, events: usize) {
        let less = self.events.saturating_sub(events);
        self.events -= less;
        if less > 0 {
            self.give_back(less, None);
        }
    }

    /// Notes that the events are kept, the last of them at this place: the hub ends the place when it is there.
    pub fn kept(mut self, last: Seq, events: usize) {
        self.shrink(events);
        let events = std::mem::take(&mut self.events);
        self.give_back(events, Some(last));
    }

    fn give_back(&self, events: usize, after: Option<Seq>) {
        let mut granted = Vec::new();
        let mut inner = self.backlog.lock();
        match after.filter(|last| *last > inner.read) {
            Some(last) => inner.kept.push(Reverse((last, self.flow, events))),
            None => inner.give_back(self.flow, events),
        }
        inner.forget(self.flow);
        self.backlog.grant(&mut inner, self.flow.turn, &mut granted);
        drop(inner);
        hand_out(granted);
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        if self.events > 0 {
            self.give_back(self.events, None);
        }
    }
}

#[cfg(test)]
mod tests;
