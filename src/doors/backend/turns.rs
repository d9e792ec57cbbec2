//! Turns: so many calls go at a time, so many more wait, and all that waits is bounded in bytes.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use tokio::{
    sync::{Notify, Semaphore, SemaphorePermit},
    time::{Instant, timeout_at},
};

use super::{metrics::BackendMetrics, waiting::Waiting};

/// The bytes of client events that wait, of all clients together.
#[derive(Debug)]
pub(crate) struct WaitingBytes {
    most: usize,
    bytes: AtomicUsize,
    /// Wakes those that wait for their turn when there are too many.
    too_many: Notify,
    metrics: BackendMetrics,
}

impl WaitingBytes {
    pub(super) fn new(most: usize, metrics: BackendMetrics) -> Arc<Self> {
        Arc::new(Self {
            most,
            bytes: AtomicUsize::new(0),
            too_many: Notify::new(),
            metrics,
        })
    }

    /// Counts bytes that begin to wait.
    pub(crate) fn add(&self, bytes: usize) {
        let before = self.bytes.fetch_add(bytes, Ordering::Relaxed);
        self.metrics.waiting_bytes.inc_by(gauge(bytes));
        if before + bytes > self.most {
            self.too_many.notify_waiters();
        }
    }

    /// Counts bytes that no longer wait.
    pub(crate) fn remove(&self, bytes: usize) {
        self.bytes.fetch_sub(bytes, Ordering::Relaxed);
        self.metrics.waiting_bytes.dec_by(gauge(bytes));
    }

    /// Counts bytes until the returned guard is dropped.
    fn hold(&self, bytes: usize) -> Held<'_> {
        self.add(bytes);
        Held { all: self, bytes }
    }

    fn are_too_many(&self) -> bool {
        self.bytes.load(Ordering::Relaxed) > self.most
    }
}

/// Bytes that wait, until this is dropped.
struct Held<'w> {
    all: &'w WaitingBytes,
    bytes: usize,
}

impl Drop for Held<'_> {
    fn drop(&mut self) {
        self.all.remove(self.bytes);
    }
}

fn gauge(bytes: usize) -> i64 {
    i64::try_from(bytes).unwrap_or(i64::MAX)
}

/// The calls under way, and those that wait.
#[derive(Debug)]
pub(super) struct Turns {
    going: Semaphore,
    waiting: Waiting,
    pub(super) bytes: Arc<WaitingBytes>,
    metrics: BackendMetrics,
}

/// A call's turn; the next one comes when this is dropped.
#[derive(Debug)]
pub(super) struct Turn<'t> {
    _permit: SemaphorePermit<'t>,
    metrics: &'t BackendMetrics,
}

/// The reason why a call has no turn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum NoTurn {
    /// Too many calls wait.
    ManyCalls,
    /// Too many bytes wait.
    ManyBytes,
    /// The call waited for too long.
    Late,
}

impl Turns {
    pub(super) fn new(
        most: usize,
        most_waiting: usize,
        most_bytes: usize,
        metrics: BackendMetrics,
    ) -> Self {
        Self {
            going: Semaphore::new(most),
            waiting: Waiting::new(most_waiting, metrics.waiting.clone()),
            bytes: WaitingBytes::new(most_bytes, metrics.clone()),
            metrics,
        }
    }

    /// Waits for a turn; a client's event has left its inbox, so its bytes are counted here.
    pub(super) async fn take(&self, deadline: Instant, bytes: usize) -> Result<Turn<'_>, NoTurn> {
        if let Ok(permit) = self.going.try_acquire() {
            return Ok(self.turn(permit));
        }
        let _waits = self.waiting.begin().ok_or(NoTurn::ManyCalls)?;
        let _held = self.bytes.hold(bytes);
        let mut too_many = std::pin::pin!(self.bytes.too_many.notified());
        too_many.as_mut().enable();
        if self.bytes.are_too_many() {
            return Err(NoTurn::ManyBytes);
        }
        tokio::select! {
            biased;
            permit = timeout_at(deadline, self.going.acquire()) => match permit {
                Ok(Ok(permit)) => Ok(self.turn(permit)),
                // The semaphore is never closed.
                Ok(Err(_)) | Err(_) => Err(NoTurn::Late),
            },
            () = too_many => Err(NoTurn::ManyBytes),
        }
    }

    fn turn<'t>(&'t self, permit: SemaphorePermit<'t>) -> Turn<'t> {
        self.metrics.in_flight.inc();
        Turn {
            _permit: permit,
            metrics: &self.metrics,
        }
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        self.metrics.in_flight.dec();
    }
}
