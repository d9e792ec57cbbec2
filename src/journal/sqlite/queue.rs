//! The jobs that wait for the writer: bounded in bytes, and given up again by those who don't wait any longer.

use std::{
    collections::VecDeque,
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use tokio::sync::oneshot;

use crate::journal::{Entry, JournalError, Outcome, Seq};

/// A job of the writer.
#[derive(Debug)]
pub(super) enum Job {
    Append(Append),
    Checkpoint {
        seq: Seq,
        /// The number of the part; none for the last one.
        part: Option<u32>,
        text: String,
        reply: oneshot::Sender<Result<(), JournalError>>,
    },
    Stop,
}

/// Events to be kept, with their text.
#[derive(Debug)]
pub(super) struct Append {
    /// The events, in this order.
    pub(super) entries: Vec<Entry>,
    /// Delivery is measured from here.
    pub(super) accepted: Instant,
    /// The producer is answered when it is kept.
    pub(super) reply: oneshot::Sender<Result<Vec<Outcome>, JournalError>>,
}

#[derive(Debug)]
pub(super) struct Queue {
    inner: Mutex<Inner>,
    /// Wakes the writer.
    grown: Condvar,
    /// Bytes that may wait.
    max_bytes: usize,
}

#[derive(Debug)]
struct Inner {
    /// Each with its number, ascending, and what it holds.
    jobs: VecDeque<(u64, usize, Job)>,
    /// The number of the next job.
    next: u64,
    /// Held by the jobs that wait and by those that are being written.
    bytes: usize,
    /// Events in these.
    events: u64,
    /// The writer has ended.
    closed: bool,
}

impl Queue {
    pub(super) fn new(max_bytes: usize) -> Arc<Self> {
        Arc::new(Self {
            inner: Mutex::new(Inner {
                jobs: VecDeque::new(),
                next: 0,
                bytes: 0,
                events: 0,
                closed: false,
            }),
            grown: Condvar::new(),
            max_bytes,
        })
    }

    /// Queues events. The place is free again when the ticket is dropped before the writer came to it.
    ///
    /// # Errors
    /// There is no room, or the writer has ended.
    pub(super) fn append(self: &Arc<Self>, append: Append) -> Result<Ticket, JournalError> {
        let held = append.entries.iter().map(Entry::held).sum::<usize>();
        let mut inner = self.lock();
        if inner.closed {
            return Err(gone());
        }
        // One that is larger than the whole queue still has its turn when nothing else waits.
        if inner.bytes > 0 && inner.bytes + held > self.max_bytes {
            return Err(JournalError::Overloaded);
        }
        inner.bytes += held;
        inner.events += append.entries.len() as u64;
        let number = inner.push(held, Job::Append(append));
        self.grown.notify_one();
        Ok(Ticket {
            queue: self.clone(),
            number,
        })
    }

    /// Queues what has no bound: there is one of each at a time.
    pub(super) fn push(&self, job: Job) -> Result<(), JournalError> {
        let mut inner = self.lock();
        if inner.closed {
            return Err(gone());
        }
        inner.push(0, job);
        self.grown.notify_one();
        Ok(())
    }

    /// The next job and what it holds, waited for so long. What it holds counts until [`Queue::done`] says otherwise.
    pub(super) fn next(&self, wait: Duration) -> Option<(usize, Job)> {
        let mut inner = self.lock();
        if inner.jobs.is_empty() {
            let waited = self.grown.wait_timeout(inner, wait);
            inner = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
        inner.jobs.pop_front().map(|(_, held, job)| (held, job))
    }

    /// The same without waiting.
    pub(super) fn try_next(&self) -> Option<(usize, Job)> {
        let next = self.lock().jobs.pop_front();
        next.map(|(_, held, job)| (held, job))
    }

    /// So much is written, or was refused.
    pub(super) fn done(&self, held: usize, events: usize) {
        let mut inner = self.lock();
        inner.bytes -= held.min(inner.bytes);
        inner.events -= (events as u64).min(inner.events);
    }

    /// Events that are not yet written.
    pub(super) fn events(&self) -> u64 {
        self.lock().events
    }

    /// Bytes that they hold.
    pub(super) fn bytes(&self) -> usize {
        self.lock().bytes
    }

    /// Nothing more is taken, and those who wait are told.
    pub(super) fn close(&self) {
        let mut inner = self.lock();
        inner.closed = true;
        inner.jobs.clear();
        inner.bytes = 0;
        inner.events = 0;
    }

    fn give_up(&self, number: u64) {
        let mut inner = self.lock();
        let at = inner.jobs.partition_point(|(n, _, _)| *n < number);
        if inner.jobs.get(at).is_none_or(|(n, _, _)| *n != number) {
            return;
        }
        if let Some((_, held, Job::Append(append))) = inner.jobs.remove(at) {
            inner.bytes -= held.min(inner.bytes);
            inner.events -= (append.entries.len() as u64).min(inner.events);
        }
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inner {
    fn push(&mut self, held: usize, job: Job) -> u64 {
        let number = self.next;
        self.next += 1;
        self.jobs.push_back((number, held, job));
        number
    }
}

pub(super) fn gone() -> JournalError {
    JournalError::Unavailable("the server is going down".into())
}

/// A place in the queue.
#[derive(Debug)]
pub(super) struct Ticket {
    queue: Arc<Queue>,
    number: u64,
}

impl Drop for Ticket {
    fn drop(&mut self) {
        self.queue.give_up(self.number);
    }
}
