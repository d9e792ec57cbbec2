//! How much of each producer is under way: accepted, and not yet sent to those who watch.
//!
//! ```text
//!  intake ─▶ taken ─▶ journal ─▶ hub reads ─▶ unsent ─▶ flush
//!    ▲                                                    │
//!    └──── the next of its calls, in their order ◀────────┘
//! ```
//!
//! Events are read in the order of their acceptance: each is behind all that was accepted before it, from any producer. So each producer may have its part of a common bound under way, and its next call waits until as much has
//! been sent. Others don't wait for it, and one that has nothing under way never waits.
//!
//! Calls of one producer that wait at the same time have no order among them, for none of them is answered. Several programs
//! may stand behind one address, so calls of like size stand in a line together, and the lines take turns by the events that
//! they were given: whoever says little is behind what is under way, and not behind all that waits.
//!
//! Nobody looks again and again: whoever ends something hands the room to the call that waits first.

use std::{
    cmp::Reverse,
    collections::{BinaryHeap, HashMap, VecDeque},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};

use tokio::sync::{Notify, futures::Notified, oneshot};

use crate::journal::{FlowId, Seq};

/// Each producer may have so many events under way, however many producers there are.
const LEAST: usize = 64;

/// Shared by the intake, which takes places, and the hub, which tells how far it is.
#[derive(Debug)]
pub struct Backlog {
    /// The last record that the hub read, less what waits to be sent.
    done: AtomicU64,
    /// Tells those who wait for the hub that it is further.
    moved: Notify,
    /// Events that may be under way, for all producers that have some.
    most: usize,
    /// The producers and their parts.
    inner: Mutex<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    /// Those that have something under way.
    flows: HashMap<FlowId, Flow>,
    /// Calls that are kept and that the hub has not read to their end: that place, whose, how many events.
    kept: BinaryHeap<Reverse<(Seq, FlowId, usize)>>,
    /// The last record that the hub read.
    read: Seq,
    /// The hub is gone: nobody would end a waiting.
    ended: bool,
}

/// The events of one producer that are under way.
#[derive(Debug, Default)]
struct Flow {
    /// Events that the hub has not read.
    taken: usize,
    /// Updates that it has not sent.
    unsent: usize,
    /// Calls that wait.
    line: Line,
}

/// Calls from so many events on stand in lines of their own.
const SIZES: [usize; 4] = [1, 9, 65, 513];

/// The calls of one producer that wait, by size, first come first served: how many events, and whom to tell.
#[derive(Debug, Default)]
struct Line {
    calls: [VecDeque<Call>; SIZES.len()],
    /// Events that went on since the producer has something under way, by the size of their calls.
    given: [usize; SIZES.len()],
}

type Call = (usize, oneshot::Sender<Place>);

impl Line {
    fn is_empty(&self) -> bool {
        self.calls.iter().all(VecDeque::is_empty)
    }

    fn size(events: usize) -> usize {
        SIZES.partition_point(|from| *from <= events).max(1) - 1
    }

    fn push(&mut self, call: Call) {
        self.calls[Self::size(call.0)].push_back(call);
    }

    /// A call of so many events goes on.
    fn give(&mut self, events: usize) {
        self.given[Self::size(events)] += events;
    }

    /// The calls of whose size the next one goes on: of those that were given least.
    fn next(&mut self) -> Option<&mut VecDeque<Call>> {
        let waits = |size: &usize| !self.calls[*size].is_empty();
        let next = (0..SIZES.len())
            .filter(waits)
            .min_by_key(|size| self.given[*size])?;
        self.calls.get_mut(next)
    }
}

impl Flow {
    fn under_way(&self) -> usize {
        self.taken + self.unsent
    }
}

/// A call's events under way; given back when it is dropped, unless it is known where they are kept.
#[derive(Debug)]
pub struct Place {
    backlog: Arc<Backlog>,
    flow: FlowId,
    events: usize,
}

/// Calls whose turn has come.
type Granted = Vec<(oneshot::Sender<Place>, Place)>;

impl Backlog {
    /// One in which `most` events may be under way.
    pub fn new(most: usize) -> Arc<Self> {
        Arc::new(Self {
            done: AtomicU64::new(0),
            moved: Notify::new(),
            most,
            inner: Mutex::default(),
        })
    }

    /// How far the hub is: the last record that it read, less what waits to be sent.
    pub fn done(&self) -> Seq {
        self.done.load(Ordering::Acquire)
    }

    /// Comes when the hub is further than now, or something else changed for those who wait for it.
    pub fn moved(&self) -> Notified<'_> {
        self.moved.notified()
    }

    /// The journal did not keep events that were taken for it: the hub has less before it, though it is no further.
    pub fn lost(&self) {
        self.moved.notify_waiters();
    }

    /// A place for a call's events.
    ///
    /// # Errors
    /// The producer has its part under way: the place will come.
    pub fn take(
        self: &Arc<Self>,
        flow: FlowId,
        events: usize,
    ) -> Result<Place, oneshot::Receiver<Place>> {
        // One without events holds a place, too: so it is given back like any other.
        let events = events.max(1);
        let mut inner = self.lock();
        let part = self.part(&inner, flow);
        let ended = inner.ended;
        let own = inner.flows.entry(flow).or_default();
        if ended || (own.line.is_empty() && fits(own.under_way(), events, part)) {
            own.taken += events;
            own.line.give(events);
            return Ok(self.place(flow, events));
        }
        let (tell, mut coming) = oneshot::channel();
        own.line.push((events, tell));
        // There may be room for it, though not for larger ones.
        let mut granted = Vec::new();
        self.grant(&mut inner, flow, &mut granted);
        drop(inner);
        hand_out(granted);
        coming.try_recv().map_err(|_| coming)
    }

    /// The hub tells how far it is, and of whom another number of updates waits now.
    pub fn tell(self: &Arc<Self>, read: Seq, unsent: usize, changed: Vec<(FlowId, usize)>) {
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
                inner.flows.entry(flow).or_default().unsent = unsent;
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
        // First those that have nothing left: the others' parts are larger without them.
        for &flow in &touched {
            inner.forget(flow);
        }
        for flow in touched {
            self.grant(&mut inner, flow, &mut granted);
        }
        drop(inner);
        hand_out(granted);
    }

    /// The hub is gone: nobody waits for it any more.
    pub fn end(self: &Arc<Self>) {
        self.done.store(Seq::MAX, Ordering::Release);
        self.moved.notify_waiters();
        let mut granted = Vec::new();
        let mut inner = self.lock();
        inner.ended = true;
        let flows: Vec<FlowId> = inner.flows.keys().copied().collect();
        for flow in flows {
            self.grant(&mut inner, flow, &mut granted);
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

    /// The events that a producer may have under way beside all others that have some.
    fn part(&self, inner: &Inner, flow: FlowId) -> usize {
        let others = inner.flows.len() - usize::from(inner.flows.contains_key(&flow));
        (self.most / (others + 1)).max(LEAST)
    }

    /// Lets in whom a producer's part has room for now, and forgets the producer when it has nothing left.
    fn grant(self: &Arc<Self>, inner: &mut Inner, flow: FlowId, granted: &mut Granted) {
        let part = self.part(inner, flow);
        let ended = inner.ended;
        let Some(own) = inner.flows.get_mut(&flow) else {
            return;
        };
        let mut under_way = own.under_way();
        while let Some(calls) = own.line.next()
            && let Some((events, tell)) = calls.front()
        {
            let events = *events;
            // A call whose producer hung up needs none.
            let gone = tell.is_closed();
            if !gone && !ended && !fits(under_way, events, part) {
                break;
            }
            let Some((_, tell)) = calls.pop_front() else {
                break;
            };
            if !gone {
                own.taken += events;
                under_way += events;
                own.line.give(events);
                granted.push((tell, self.place(flow, events)));
            }
        }
        inner.forget(flow);
    }
}

impl Inner {
    /// Forgets a producer that has nothing left.
    fn forget(&mut self, flow: FlowId) {
        let done = |own: &Flow| own.under_way() == 0 && own.line.is_empty();
        if self.flows.get(&flow).is_some_and(done) {
            self.flows.remove(&flow);
        }
    }

    fn give_back(&mut self, flow: FlowId, events: usize) {
        if let Some(own) = self.flows.get_mut(&flow) {
            own.taken = own.taken.saturating_sub(events);
        }
    }
}

/// Whether a call may go on. A call alone always may, however large it is.
fn fits(under_way: usize, events: usize, part: usize) -> bool {
    under_way == 0 || under_way + events <= part
}

/// Tells calls that it is their turn. A place whose call is gone meanwhile is given back by being dropped: the lock must be free.
fn hand_out(granted: Granted) {
    for (tell, place) in granted {
        tell.send(place).ok();
    }
}

impl Place {
    /// So many of its events go on: the others were not taken.
    pub fn shrink(&mut self, events: usize) {
        let less = self.events.saturating_sub(events);
        self.events -= less;
        if less > 0 {
            self.give_back(less, None);
        }
    }

    /// Its events are kept, the last of them at this place: the hub ends it when it is there.
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
        self.backlog.grant(&mut inner, self.flow, &mut granted);
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
