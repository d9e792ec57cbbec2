//! State that the writer, the follower and the journal's users share.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Instant,
};

use arc_swap::ArcSwap;
use tokio::sync::watch::{Sender, channel};

use super::{
    keys::Keys,
    lost::{Loss, Losses},
    options::RedisOptions,
    scripts::Id,
};
use crate::{
    decision::Decisions,
    engine::Engine,
    journal::{Entry, Epoch, Seq, Way, generations::Generations, tail::Tail},
    observe::JournalMetrics,
};

/// State that the writer, the follower and the journal's users share.
#[derive(Debug)]
pub(super) struct Shared {
    pub(super) options: RedisOptions,
    pub(super) keys: Keys,
    pub(super) engine: Engine,
    /// The oldest kept place.
    pub(super) first: AtomicU64,
    /// The newest place that was read.
    pub(super) last: AtomicU64,
    /// The place of the newest checkpoint: nothing newer is trimmed.
    pub(super) checkpoint: AtomicU64,
    /// The newest records.
    pub(super) tail: Tail,
    pub(super) generations: ArcSwap<Generations>,
    /// Counts the times that the stream went back, since its newest events were lost.
    pub(super) rewinds: AtomicU64,
    /// Whether this node does the deployment's chores.
    pub(super) leads: AtomicBool,
    /// Says that both threads shall end.
    pub(super) stop: AtomicBool,
    /// Wakes the hub.
    pub(super) grown: Sender<Seq>,
    /// An admin's decisions, told whenever another node made one.
    pub(super) decisions: Sender<Decisions>,
    /// The number of times that decisions were kept, as far as this node knows.
    pub(super) decided: AtomicU64,
    pub(super) metrics: JournalMetrics,
    /// Own events on their way to the engine: the follower need not read their texts again.
    own: Mutex<HashMap<Id, (Arc<Entry>, Instant)>>,
    losses: Mutex<Losses>,
    /// The reasons why events can't be kept, or can't be read.
    trouble: Mutex<[Option<String>; 2]>,
}

/// One of the two connections that a journal lives by.
#[derive(Debug, Clone, Copy)]
pub(super) enum Part {
    Writer = 0,
    Follower = 1,
}

impl Shared {
    pub(super) fn new(
        options: RedisOptions,
        engine: Engine,
        generations: Generations,
        (first, last, checkpoint): (Seq, Seq, Seq),
    ) -> Self {
        Self {
            keys: Keys::of(&options.deployment),
            engine,
            first: AtomicU64::new(first),
            last: AtomicU64::new(last),
            checkpoint: AtomicU64::new(checkpoint),
            tail: Tail::new(last, options.held.tail),
            generations: ArcSwap::from_pointee(generations),
            rewinds: AtomicU64::new(0),
            leads: AtomicBool::new(false),
            stop: AtomicBool::new(false),
            grown: channel(last).0,
            decisions: channel(Decisions::default()).0,
            decided: AtomicU64::new(0),
            metrics: JournalMetrics::default(),
            own: Mutex::default(),
            losses: Mutex::default(),
            trouble: Mutex::default(),
            options,
        }
    }

    /// Notes own events before they are sent.
    pub(super) fn sends(&self, events: impl Iterator<Item = (Id, Arc<Entry>, Instant)>) {
        let mut own = lock(&self.own);
        own.extend(events.map(|(id, entry, accepted)| (id, (entry, accepted))));
    }

    /// An own event that came back, or that was never kept.
    pub(super) fn came(&self, id: &Id) -> Option<(Arc<Entry>, Instant)> {
        lock(&self.own).remove(id)
    }

    /// Remembers places that were lost.
    pub(super) fn loses(&self, loss: Loss) {
        lock(&self.losses).add(loss);
    }

    /// The last place of an epoch that is still the same, and the way from those that were lost.
    pub(super) fn lost(&self, epoch: Epoch) -> Option<(Seq, Way)> {
        lock(&self.losses).of(epoch)
    }

    /// Sets the reason why a part can't work; returns the one before.
    pub(super) fn set_trouble(&self, part: Part, trouble: Option<String>) -> Option<String> {
        std::mem::replace(&mut lock(&self.trouble)[part as usize], trouble)
    }

    /// The reason why nothing can be kept, or be read.
    pub(super) fn trouble(&self) -> Option<String> {
        lock(&self.trouble).iter().flatten().next().cloned()
    }

    /// The reason why nothing can be kept.
    pub(super) fn refuses(&self) -> Option<String> {
        lock(&self.trouble)[Part::Writer as usize].clone()
    }

    pub(super) fn is_stopping(&self) -> bool {
        self.stop.load(Ordering::Acquire)
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
