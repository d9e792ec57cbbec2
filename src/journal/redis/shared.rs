//! State that the writer, the follower and the journal's users share.

use std::{
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use prometheus_client::metrics::gauge::Gauge;
use tokio::sync::watch::{Sender, channel};

use super::{
    decisions,
    keys::Keys,
    lost::{Loss, Losses},
    options::RedisOptions,
    own::OwnEvents,
    past::Past,
    timeline::{Timeline, Timelines},
};
use crate::{
    decision::{Decision, Decisions},
    engine::Engine,
    journal::{Epoch, JournalError, Seq, Way, tail::Tail},
    observe::JournalMetrics,
};

/// The longest time for which a client waits whose cursor is ahead of this node, and the time between two looks.
const REACH_PATIENCE: Duration = Duration::from_secs(1);
const REACH_PAUSE: Duration = Duration::from_millis(50);

/// State that the writer, the follower and the journal's users share.
#[derive(Debug)]
pub(super) struct Shared {
    pub(super) options: RedisOptions,
    pub(super) keys: Keys,
    pub(super) engine: Engine,
    /// The history that readers see, and the one that the engine has.
    pub(super) timelines: Timelines,
    /// Events of this node that the follower has not read yet.
    pub(super) own: OwnEvents,
    /// This node as the holder of the lease: also another process of the same name is another holder.
    pub(super) holder: String,
    /// Says that both threads shall end.
    pub(super) stop: AtomicBool,
    /// An admin's decisions, told whenever another node made one.
    pub(super) decisions: Sender<Decisions>,
    /// The number of times that decisions were kept, as far as this node knows.
    pub(super) decided: AtomicU64,
    pub(super) metrics: JournalMetrics,
    /// Whether events are kept and read, as a metric.
    engine_up: Gauge,
    /// The end of this node's lease, in milliseconds since `opened`; 0 without one.
    leads_until: AtomicU64,
    opened: Instant,
    /// Whether another connection has met a history that the follower has not compared.
    suspect: AtomicBool,
    /// Whether decisions were kept that the follower may not know of.
    look: AtomicBool,
    /// Bytes of the newest events that are held to be put back.
    pub(super) newest_bytes: AtomicUsize,
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
    pub(super) fn new(options: RedisOptions, engine: Engine, past: Past) -> Self {
        let (first, last) = (past.ends.first, past.ends.last);
        let present = past.generations.present();
        let tail = Arc::new(Tail::new(last, options.held.tail));
        let mut losses = Losses::default();
        losses.take(past.losses);
        let engine_up = Gauge::default();
        engine_up.set(1);
        let metrics = JournalMetrics::of_engine(engine_up.clone());
        Self {
            keys: Keys::of(&options.deployment),
            engine,
            timelines: Timelines::new(Timeline::new(Arc::new(past.generations), tail, first)),
            own: OwnEvents::new(present, options.held.tail, metrics.unheld.clone()),
            holder: format!("{}:{}", options.node, uuid::Uuid::new_v4()),
            stop: AtomicBool::new(false),
            decisions: channel(Decisions::default()).0,
            decided: AtomicU64::new(0),
            metrics,
            engine_up,
            leads_until: AtomicU64::new(0),
            opened: Instant::now(),
            suspect: AtomicBool::new(false),
            look: AtomicBool::new(false),
            newest_bytes: AtomicUsize::new(0),
            losses: Mutex::new(losses),
            trouble: Mutex::default(),
            options,
        }
    }

    /// Remembers places that were lost, and where their events are.
    pub(super) fn loses(&self, loss: Loss) {
        lock(&self.losses).add(loss);
    }

    /// Takes the losses that the engine has written down. Returns this node's own that are missing there.
    pub(super) fn take_losses(&self, engine: Vec<Loss>) -> Vec<Arc<Loss>> {
        lock(&self.losses).take(engine)
    }

    /// The last place of an epoch that is still the same, and the way from those that were lost.
    pub(super) fn lost(&self, epoch: Epoch) -> Option<(Seq, Way)> {
        let shown = self.timelines.shown();
        lock(&self.losses).of(epoch, (shown.generations.clone(), shown.last()))
    }

    /// Waits until a cursor's place is known: its event was read, or it is known to be lost.
    pub(super) async fn reach(&self, epoch: Epoch, seq: Seq) {
        let is_known = || {
            let shown = self.timelines.shown();
            let newest = shown.generations.newest(epoch, shown.last());
            newest.is_some_and(|newest| newest >= seq) || lock(&self.losses).has(epoch)
        };
        let until = Instant::now() + REACH_PATIENCE;
        let mut grown = self.timelines.watch();
        while !is_known() && Instant::now() < until {
            tokio::time::timeout(REACH_PAUSE, grown.changed())
                .await
                .ok();
        }
    }

    /// Waits until the follower knows these decisions: from then on it writes them again if a promoted replica lacks them.
    ///
    /// # Errors
    /// They were lost on the way.
    pub(super) async fn learns(&self, made: &[Decision]) -> Result<(), JournalError> {
        self.look();
        let mut known = self.decisions.subscribe();
        let known = known.wait_for(|known| decisions::hold(known, made));
        let learnt = tokio::time::timeout(self.options.timeout, known).await;
        let lost = || JournalError::Unavailable("the decision was kept, and lost again".into());
        learnt.map(drop).map_err(|_| lost())
    }

    /// Notes that this node has the lease for this long from then on; none that another one has it.
    pub(super) fn leads_until(&self, lease: Option<(Instant, Duration)>) {
        let until = lease.map_or(0, |(from, length)| {
            let until = from.saturating_duration_since(self.opened) + length;
            u64::try_from(until.as_millis()).unwrap_or(u64::MAX)
        });
        self.leads_until.store(until, Ordering::Release);
    }

    /// Whether this node does the deployment's chores. One that was paused for longer than its lease does not.
    pub(super) fn leads(&self) -> bool {
        let until = self.leads_until.load(Ordering::Acquire);
        self.opened.elapsed() < Duration::from_millis(until)
    }

    /// Has the follower look at once where the primary is and what it has.
    pub(super) fn suspects(&self) {
        self.suspect.store(true, Ordering::Release);
    }

    /// Has the follower look at the engine's history at its next turn.
    pub(super) fn look(&self) {
        self.look.store(true, Ordering::Release);
    }

    /// Whether it shall, which is asked once.
    pub(super) fn is_to_look(&self) -> bool {
        self.look.swap(false, Ordering::AcqRel)
    }

    /// Whether the primary is to be looked for again, which is asked once.
    pub(super) fn is_suspect(&self) -> bool {
        self.suspect.swap(false, Ordering::AcqRel)
    }

    /// Sets the reason why a part can't work; returns the one before.
    pub(super) fn set_trouble(&self, part: Part, trouble: Option<String>) -> Option<String> {
        let mut all = lock(&self.trouble);
        let before = std::mem::replace(&mut all[part as usize], trouble);
        self.engine_up
            .set(i64::from(all.iter().all(Option::is_none)));
        before
    }

    /// The reason why nothing can be kept, or be read.
    pub(super) fn trouble(&self) -> Option<String> {
        lock(&self.trouble).iter().flatten().next().cloned()
    }

    /// The reason why nothing can be read.
    pub(super) fn is_away(&self) -> Option<String> {
        lock(&self.trouble)[Part::Follower as usize].clone()
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
