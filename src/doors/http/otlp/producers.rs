//! The memories of spans, one for each producer: nobody's spans change what another's mean.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio_util::task::TaskTracker;

use crate::{
    error::Error,
    journal::FlowId,
    observe::WatchedMetrics,
    translate::otlp::{Memory, MemoryLimits, ReadLimits},
};

/// Producers whose spans are remembered.
const MAX_PRODUCERS: usize = 1_000;
/// The time that a request waits for those of the same producer before it.
const MAX_WAIT: Duration = Duration::from_secs(10);

/// The settings of the door.
#[derive(Debug, Clone, Copy)]
pub struct SpansOptions {
    /// The limits on reading a request.
    pub read: ReadLimits,
    /// Bytes of a request.
    pub max_bytes: usize,
    /// Spans that are remembered, of all producers.
    pub remembered: usize,
    /// Bytes that these may hold.
    pub remembered_bytes: usize,
    /// The limits on the memory of one producer.
    pub memory: MemoryLimits,
}

/// The memories of spans.
#[derive(Debug)]
pub struct Spans {
    options: SpansOptions,
    metrics: WatchedMetrics,
    producers: Mutex<HashMap<FlowId, Arc<Spanning>>>,
    /// Tasks that tell spans which waited long enough.
    pub(super) late: TaskTracker,
    ending: watch::Sender<bool>,
}

/// A producer of spans.
#[derive(Debug)]
pub(super) struct Spanning {
    /// Held by the request whose spans are taken.
    turn: Arc<Semaphore>,
    memory: Mutex<Memory>,
    used: Mutex<Instant>,
    /// Whether a task waits for its waiting spans.
    pub(super) is_awaited: AtomicBool,
}

impl Spans {
    /// Empty memories.
    pub fn new(options: SpansOptions, metrics: WatchedMetrics) -> Arc<Self> {
        Arc::new(Self {
            options,
            metrics,
            producers: Mutex::default(),
            late: TaskTracker::new(),
            ending: watch::Sender::new(false),
        })
    }

    /// The settings.
    pub(super) fn options(&self) -> &SpansOptions {
        &self.options
    }

    /// The counters.
    pub fn metrics(&self) -> &WatchedMetrics {
        &self.metrics
    }

    /// Tells all spans that wait, and returns when that is done.
    pub async fn end(&self) {
        self.ending.send_replace(true);
        self.late.close();
        self.late.wait().await;
    }

    /// Changes when waiting spans are to be told at once.
    pub(super) fn ending(&self) -> watch::Receiver<bool> {
        self.ending.subscribe()
    }

    /// The memory of a producer.
    pub(super) fn of(&self, flow: FlowId) -> Arc<Spanning> {
        let now = Instant::now();
        let mut producers = self
            .producers
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let memory = self.options.memory;
        let own = producers
            .entry(flow)
            .or_insert_with(|| Arc::new(Spanning::new(memory, now)))
            .clone();
        own.use_at(now);
        if producers.len() > MAX_PRODUCERS {
            let silent = producers
                .iter()
                .filter(|(of, _)| **of != flow)
                .min_by_key(|(_, producer)| producer.used_at());
            let silent = silent.map(|(of, _)| *of);
            let gone = silent.and_then(|silent| producers.remove(&silent));
            self.metrics
                .forgotten("producers", gone.map_or(0, |gone| gone.memory().len()));
        }
        own
    }

    /// Forgets spans that are too old or too many, of a producer and of all that are silent for long.
    pub(super) fn tidy(&self, own: &Spanning) {
        let now = Instant::now();
        let keep = self.options.memory.keep;
        let mut producers = self
            .producers
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let before = producers.len();
        let mut by_age = 0;
        producers.retain(|_, producer| {
            let is_silent = now.duration_since(producer.used_at()) > keep;
            if is_silent {
                by_age += producer.memory().len();
            }
            !is_silent
        });
        // Each has its part of the common bound.
        let producers_now = before.max(1);
        drop(producers);
        let mut memory = own.memory();
        let (number, age) = memory.forget(now, self.options.remembered / producers_now);
        let bytes = memory.shrink(self.options.remembered_bytes / producers_now);
        drop(memory);
        self.metrics.forgotten("bytes", bytes);
        self.metrics.forgotten("number", number);
        self.metrics.forgotten("age", age + by_age);
    }
}

impl Spanning {
    fn new(limits: MemoryLimits, now: Instant) -> Self {
        Self {
            turn: Arc::new(Semaphore::new(1)),
            memory: Mutex::new(Memory::new(limits)),
            used: Mutex::new(now),
            is_awaited: AtomicBool::new(false),
        }
    }

    /// Waits for the producer's turn.
    pub(super) async fn turn(self: &Arc<Self>) -> Result<Turn, Error> {
        let turn = tokio::time::timeout(MAX_WAIT, self.turn.clone().acquire_owned()).await;
        match turn {
            Ok(Ok(permit)) => Ok(Turn {
                own: self.clone(),
                _permit: permit,
            }),
            Ok(Err(_)) | Err(_) => Err(Error::new(
                "overloaded",
                "the server is behind with the spans that you exported before; export these again later",
            )
            .elsewhere()),
        }
    }

    pub(super) fn memory(&self) -> MutexGuard<'_, Memory> {
        self.memory.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn use_at(&self, now: Instant) {
        *self.used.lock().unwrap_or_else(PoisonError::into_inner) = now;
    }

    fn used_at(&self) -> Instant {
        *self.used.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Says whether nobody waited for the producer's waiting spans, and that somebody does now.
    pub(super) fn await_first(&self) -> bool {
        !self.is_awaited.swap(true, Ordering::AcqRel)
    }
}

/// A producer's turn. What is told in it is taken back, unless it is said that it was kept: also when the exporter hangs up
/// meanwhile.
#[derive(Debug)]
pub(super) struct Turn {
    own: Arc<Spanning>,
    _permit: OwnedSemaphorePermit,
}

impl Turn {
    /// Works on the memory, beside all other work: many spans are milliseconds. The turn goes along, so that it ends with the
    /// work also when nobody waits for it any longer.
    pub(super) async fn work<T: Send + 'static>(
        self,
        work: impl FnOnce(&mut Memory) -> T + Send + 'static,
    ) -> Result<(Self, T), Error> {
        let working = tokio::task::spawn_blocking(move || {
            let done = work(&mut self.own.memory());
            (self, done)
        });
        working
            .await
            .map_err(|_| Error::unavailable("the server goes down; export this again later"))
    }

    /// Says that what was told was kept.
    pub(super) fn commit(&self) {
        self.own.memory().commit();
    }

    /// Takes back what was told.
    pub(super) fn roll_back(&self) {
        self.own.memory().roll_back();
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        self.roll_back();
    }
}
