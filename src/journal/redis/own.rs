//! Events of this node on their way: from the writer, by the engine, to the follower.
//!
//! The follower need not read their texts again. And an event that was acknowledged is held until the follower has read it:
//! if the engine loses it before, nobody else may have it.
//!
//! The writer appends only in the generation that the follower has compared. Whatever it notes as acknowledged and whatever
//! the follower takes to be put back is decided under one lock: an answer that comes after the comparison is of no worth,
//! and its events are appended again.

use std::{
    collections::{HashMap, VecDeque},
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use prometheus_client::metrics::counter::Counter;

use super::scripts::{Id, Kept};
use crate::journal::{Entry, Epoch, Seq};

/// An event of this node, and the time at which it was accepted.
type Accepted = (Arc<Entry>, Instant);

/// The events of this node that the follower has not read yet.
#[derive(Debug)]
pub(super) struct OwnEvents {
    inner: Mutex<Inner>,
    /// Wakes those that wait for a comparison.
    compared: Condvar,
    /// The most bytes of acknowledged events.
    max_bytes: usize,
    /// Counts those that were over it.
    unheld: Counter,
}

#[derive(Debug)]
struct Inner {
    events: HashMap<Id, OwnEvent>,
    /// The acknowledged ones, the oldest first; those that were read may still be named.
    order: VecDeque<Id>,
    /// Bytes of the acknowledged ones.
    bytes: usize,
    /// The generation that the follower has compared.
    epoch: Epoch,
    /// The number of comparisons.
    comparisons: u64,
}

#[derive(Debug)]
struct OwnEvent {
    entry: Arc<Entry>,
    accepted: Instant,
    /// Its place and the generation, once the engine has answered.
    place: Option<(Epoch, Seq)>,
}

impl OwnEvents {
    pub(super) fn new(epoch: Epoch, max_bytes: usize, unheld: Counter) -> Self {
        Self {
            inner: Mutex::new(Inner {
                events: HashMap::new(),
                order: VecDeque::new(),
                bytes: 0,
                epoch,
                comparisons: 0,
            }),
            compared: Condvar::new(),
            max_bytes,
            unheld,
        }
    }

    /// Bytes of the acknowledged ones.
    pub(super) fn bytes(&self) -> usize {
        self.lock().bytes
    }

    /// Notes events before they are sent.
    pub(super) fn sends(&self, events: impl Iterator<Item = (Id, Arc<Entry>, Instant)>) {
        let mut inner = self.lock();
        for (id, entry, accepted) in events {
            let event = OwnEvent {
                entry,
                accepted,
                place: None,
            };
            // One that is sent again keeps its place, until the engine says otherwise.
            inner.events.entry(id).or_insert(event);
        }
    }

    /// An event as the follower reads it. Another node may have used its id for another event.
    pub(super) fn get(&self, read: &Kept) -> Option<Accepted> {
        let inner = self.lock();
        let event = inner.events.get(&read.id)?;
        // Another node may have kept the same event first, with other facts that it settled.
        let is_same = event.entry.text == read.text;
        is_same.then(|| (event.entry.clone(), event.accepted))
    }

    /// Forgets events that were read.
    pub(super) fn read<'i>(&self, ids: impl Iterator<Item = &'i Id>) {
        let mut inner = self.lock();
        for id in ids {
            inner.remove(id);
        }
    }

    /// Forgets events that were not kept.
    pub(super) fn unsend<'i>(&self, ids: impl Iterator<Item = &'i Id>) {
        let mut inner = self.lock();
        for id in ids {
            // The id may stand for an earlier event, which was acknowledged.
            if inner
                .events
                .get(id)
                .is_some_and(|event| event.place.is_none())
            {
                inner.remove(id);
            }
        }
    }

    /// Notes the answers of the engine in this generation. False, and nothing is noted, if the follower has compared another
    /// one since: what the engine answered may be lost, and nobody puts it back.
    pub(super) fn acknowledge(
        &self,
        epoch: Epoch,
        places: impl Iterator<Item = (Id, Seq)>,
    ) -> bool {
        let mut inner = self.lock();
        if inner.epoch != epoch {
            return false;
        }
        for (id, seq) in places {
            inner.place(id, (epoch, seq));
        }
        while inner.bytes > self.max_bytes
            && let Some(oldest) = inner.order.front().copied()
        {
            inner.remove(&oldest);
            self.unheld.inc();
        }
        true
    }

    /// Notes the places of events that were put back.
    pub(super) fn put_back(&self, epoch: Epoch, places: impl Iterator<Item = (Id, Option<Seq>)>) {
        let mut inner = self.lock();
        for (id, seq) in places {
            match seq {
                Some(seq) => inner.place(id, (epoch, seq)),
                None => inner.remove(&id),
            }
        }
    }

    /// The acknowledged events whose place was lost, in their order.
    pub(super) fn lost(&self, is_lost: &dyn Fn(Epoch, Seq) -> bool) -> Vec<(Seq, Kept)> {
        self.lock().lost(is_lost)
    }

    /// Lets the writer append in a generation, if no acknowledged event is still to be put back; else returns these.
    pub(super) fn settle(
        &self,
        epoch: Epoch,
        is_lost: &dyn Fn(Epoch, Seq) -> bool,
    ) -> Vec<(Seq, Kept)> {
        let mut inner = self.lock();
        let lost = inner.lost(is_lost);
        if lost.is_empty() {
            inner.epoch = epoch;
            inner.comparisons += 1;
            self.compared.notify_all();
        }
        lost
    }

    /// Forgets all acknowledged events: they are of another journal, or were read by nobody before they were trimmed.
    pub(super) fn forget_acknowledged(&self) {
        let mut inner = self.lock();
        inner.events.retain(|_, event| event.place.is_none());
        inner.order.clear();
        inner.bytes = 0;
    }

    /// The generation that the follower has compared.
    pub(super) fn epoch(&self) -> Epoch {
        self.lock().epoch
    }

    /// Waits until the follower has compared this generation; not for longer than this.
    pub(super) fn wait_for_epoch(&self, epoch: Epoch, patience: Duration) {
        let others = |inner: &mut Inner| inner.epoch != epoch;
        let waited = self
            .compared
            .wait_timeout_while(self.lock(), patience, others);
        drop(waited);
    }

    /// The number of comparisons.
    pub(super) fn comparisons(&self) -> u64 {
        self.lock().comparisons
    }

    /// Waits until there was a further comparison; not for longer than this.
    pub(super) fn wait_for_comparison(&self, after: u64, patience: Duration) {
        let none = |inner: &mut Inner| inner.comparisons <= after;
        let waited = self
            .compared
            .wait_timeout_while(self.lock(), patience, none);
        drop(waited);
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inner {
    /// Notes the place of an event, if the follower has not read it yet.
    fn place(&mut self, id: Id, place: (Epoch, Seq)) {
        if let Some(event) = self.events.get_mut(&id)
            && event.place.replace(place).is_none()
        {
            self.bytes += event.entry.held();
            self.order.push_back(id);
        }
    }

    fn remove(&mut self, id: &Id) {
        if let Some(event) = self.events.remove(id)
            && event.place.is_some()
        {
            self.bytes -= event.entry.held().min(self.bytes);
        }
        // Names of events that were read go with the oldest.
        while let Some(oldest) = self.order.front()
            && !self.events.contains_key(oldest)
        {
            self.order.pop_front();
        }
    }

    fn lost(&self, is_lost: &dyn Fn(Epoch, Seq) -> bool) -> Vec<(Seq, Kept)> {
        let events = self.events.iter();
        let lost = events.filter_map(|(id, event)| {
            let (epoch, seq) = event.place?;
            is_lost(epoch, seq).then(|| (seq, Kept::new(*id, &event.entry)))
        });
        let mut lost: Vec<(Seq, Kept)> = lost.collect();
        lost.sort_unstable_by_key(|(seq, _)| *seq);
        lost
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        event::{Event, EventName, Object},
        journal::redis::scripts::id_of,
    };

    #[test]
    fn acknowledged_events_beyond_the_bound_are_let_go_of_and_counted() {
        let unheld = Counter::default();
        let entry = |n: u8| {
            let event = Event::new(EventName::new("task.progress"), Object::new());
            let id = format!("e{n}").into();
            Arc::new(Entry::new(Event { id, ..event }))
        };
        let all: Vec<_> = (1..=4).map(entry).collect();
        let own = OwnEvents::new(Epoch(1), 2 * all[0].held(), unheld.clone());
        own.sends(
            all.iter()
                .map(|one| (id_of(one), one.clone(), Instant::now())),
        );
        assert_eq!(own.bytes(), 0);
        let places = all.iter().zip(1..).map(|(one, seq)| (id_of(one), seq));
        assert!(!own.acknowledge(Epoch(2), places.clone()));
        assert!(own.acknowledge(Epoch(1), places));
        assert_eq!(unheld.get(), 2);
        let lost = own.lost(&|_, seq| seq > 2);
        let lost: Vec<Seq> = lost.iter().map(|(seq, _)| *seq).collect();
        assert_eq!(lost, [3, 4]);
        own.read(all.iter().map(|one| id_of(one)).collect::<Vec<_>>().iter());
        assert_eq!(own.bytes(), 0);
    }
}
