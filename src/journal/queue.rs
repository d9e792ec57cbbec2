//! The queue of the writer's jobs: bounded in bytes; a caller that no longer waits takes its job out.

use std::{
    collections::VecDeque,
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use tokio::sync::oneshot;

use crate::{
    decision::Decision,
    journal::{Entry, Epoch, JournalError, KeptText, Outcome, Seq, SessionChange},
};

/// A job of the writer.
#[derive(Debug)]
pub(in crate::journal) enum Job {
    Append(Append),
    Decide(Decide),
    Checkpoint {
        /// The epoch that names the place.
        epoch: Epoch,
        seq: Seq,
        /// The number of the part; none for the last one.
        part: Option<u32>,
        text: String,
        reply: oneshot::Sender<Result<(), JournalError>>,
    },
    /// A text to be kept in place of the one before.
    Text {
        name: KeptText,
        text: String,
        reply: oneshot::Sender<Result<(), JournalError>>,
    },
    /// Sessions to be kept in place of those before, or let go of.
    Sessions {
        changes: Vec<SessionChange>,
        reply: oneshot::Sender<Result<Vec<String>, JournalError>>,
    },
    Stop,
}

/// Events to be kept, with their text.
#[derive(Debug)]
pub(in crate::journal) struct Append {
    pub(in crate::journal) entries: Vec<Entry>,
    /// Delivery is measured from this time.
    pub(in crate::journal) accepted: Instant,
    /// The producer is answered when the events are kept.
    pub(in crate::journal) reply: oneshot::Sender<Result<Vec<Outcome>, JournalError>>,
}

/// An admin's decisions to be kept.
#[derive(Debug)]
pub(in crate::journal) struct Decide {
    /// The decisions, in this order.
    pub(in crate::journal) decisions: Vec<Decision>,
    /// The admin is answered when they are kept.
    pub(in crate::journal) reply: oneshot::Sender<Result<(), JournalError>>,
}

#[derive(Debug)]
pub(in crate::journal) struct Queue {
    inner: Mutex<Inner>,
    /// Wakes the writer.
    grown: Condvar,
    /// Bytes of events that may wait, and of decisions.
    max_bytes: usize,
}

#[derive(Debug)]
struct Inner {
    /// Each with its number, ascending, and the bytes that it holds.
    jobs: VecDeque<(u64, usize, Job)>,
    /// The number of the next job.
    next: u64,
    /// The bytes of the jobs that wait and of those that are being written.
    bytes: usize,
    /// The events of these jobs.
    events: u64,
    /// Held by decisions. They are counted apart: who floods the journal with events must not keep out the ban that ends it.
    decision_bytes: usize,
    /// Whether the writer has ended.
    closed: bool,
    /// Whether the writer waits for a job and nobody has woken it yet.
    asleep: bool,
}

/// The jobs that the writer takes at a time.
#[derive(Debug, Default)]
pub(in crate::journal) struct Taken {
    /// The jobs, in order.
    pub(in crate::journal) jobs: Vec<Job>,
    /// The bytes that the appends among them hold. They count until [`Queue::done`].
    pub(in crate::journal) bytes: usize,
    /// The events of these appends.
    pub(in crate::journal) events: usize,
    /// The bytes that the decisions among them hold. They count until [`Queue::decided`].
    pub(in crate::journal) decision_bytes: usize,
}

/// The most that the writer takes at a time, unless a single job is larger.
#[derive(Debug, Clone, Copy)]
pub(in crate::journal) struct TakeLimits {
    pub(in crate::journal) events: usize,
    pub(in crate::journal) bytes: usize,
}

impl Queue {
    pub(in crate::journal) fn new(max_bytes: usize) -> Arc<Self> {
        Arc::new(Self {
            inner: Mutex::new(Inner {
                jobs: VecDeque::new(),
                next: 0,
                bytes: 0,
                events: 0,
                decision_bytes: 0,
                closed: false,
                asleep: false,
            }),
            grown: Condvar::new(),
            max_bytes,
        })
    }

    /// Queues events. Dropping the ticket takes them out again, if the writer has not begun with them.
    ///
    /// # Errors
    /// There is no room, or the writer has ended.
    pub(in crate::journal) fn append(
        self: &Arc<Self>,
        append: Append,
    ) -> Result<Ticket, JournalError> {
        let held = append.entries.iter().map(Entry::held).sum::<usize>();
        let mut inner = self.lock();
        if inner.closed {
            return Err(gone());
        }
        // A job that is larger than the whole queue has its turn when nothing else waits.
        if inner.bytes > 0 && inner.bytes + held > self.max_bytes {
            return Err(JournalError::Overloaded);
        }
        inner.bytes += held;
        inner.events += append.entries.len() as u64;
        let number = inner.push(held, Job::Append(append));
        let sleeps = std::mem::take(&mut inner.asleep);
        drop(inner);
        if sleeps {
            self.wake_soon();
        }
        Ok(Ticket {
            queue: self.clone(),
            number,
            waits: true,
        })
    }

    /// Wakes the writer after the tasks that run now: they may have more events for the same transaction, and a thread that
    /// wakes at once would take the processor from them for each event. Should the task never run, the writer finds the
    /// events when its own waiting ends.
    fn wake_soon(self: &Arc<Self>) {
        match tokio::runtime::Handle::try_current() {
            Ok(runtime) => {
                let queue = self.clone();
                runtime.spawn(async move { queue.grown.notify_one() });
            }
            Err(_) => self.grown.notify_one(),
        }
    }

    /// Queues decisions. They are written whoever waits.
    ///
    /// # Errors
    /// There is no room, or the writer has ended.
    pub(in crate::journal) fn decide(&self, decide: Decide) -> Result<(), JournalError> {
        let held = decide.decisions.iter().map(Decision::held).sum::<usize>();
        let mut inner = self.lock();
        if inner.closed {
            return Err(gone());
        }
        if inner.decision_bytes > 0 && inner.decision_bytes + held > self.max_bytes {
            return Err(JournalError::Unavailable(
                "more decisions wait to be written than may wait ([journal] queue_bytes)".into(),
            ));
        }
        inner.decision_bytes += held;
        inner.push(held, Job::Decide(decide));
        self.grown.notify_one();
        Ok(())
    }

    /// Queues a job without a bound: there is one of each such kind at a time.
    pub(in crate::journal) fn push(&self, job: Job) -> Result<(), JournalError> {
        let mut inner = self.lock();
        if inner.closed {
            return Err(gone());
        }
        inner.push(0, job);
        self.grown.notify_one();
        Ok(())
    }

    /// Waits at most this long for a job, and takes all that wait then, within the limits.
    pub(in crate::journal) fn take(&self, wait: Duration, limits: TakeLimits) -> Taken {
        let mut inner = self.lock();
        if inner.jobs.is_empty() {
            inner.asleep = true;
            let waited = self.grown.wait_timeout(inner, wait);
            inner = waited.unwrap_or_else(PoisonError::into_inner).0;
            inner.asleep = false;
        }
        let mut taken = Taken::default();
        while taken.events < limits.events
            && taken.bytes + taken.decision_bytes < limits.bytes
            && let Some((_, held, job)) = inner.jobs.pop_front()
        {
            match &job {
                Job::Append(append) => {
                    taken.events += append.entries.len();
                    taken.bytes += held;
                }
                Job::Decide(_) => taken.decision_bytes += held,
                Job::Checkpoint { .. } | Job::Text { .. } | Job::Sessions { .. } => {}
                Job::Stop => {
                    taken.jobs.push(job);
                    break;
                }
            }
            taken.jobs.push(job);
        }
        taken
    }

    /// Notes that a job of so many bytes and events is written, or was refused.
    pub(in crate::journal) fn done(&self, held: usize, events: usize) {
        let mut inner = self.lock();
        inner.bytes -= held.min(inner.bytes);
        inner.events -= (events as u64).min(inner.events);
    }

    /// So much of decisions is written, or was refused.
    pub(in crate::journal) fn decided(&self, held: usize) {
        let mut inner = self.lock();
        inner.decision_bytes -= held.min(inner.decision_bytes);
    }

    /// Events that are not yet written.
    pub(in crate::journal) fn events(&self) -> u64 {
        self.lock().events
    }

    /// Bytes that the jobs hold.
    pub(in crate::journal) fn bytes(&self) -> usize {
        let inner = self.lock();
        inner.bytes + inner.decision_bytes
    }

    /// Refuses further jobs, and answers all that wait.
    pub(in crate::journal) fn close(&self) {
        let mut inner = self.lock();
        inner.closed = true;
        inner.jobs.clear();
        inner.bytes = 0;
        inner.events = 0;
        inner.decision_bytes = 0;
    }

    /// Whether it takes no further jobs.
    pub(in crate::journal) fn is_closed(&self) -> bool {
        self.lock().closed
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

/// The writer's answer, or the error that it is gone.
pub(in crate::journal) async fn answer<T>(
    reply: oneshot::Receiver<Result<T, JournalError>>,
) -> Result<T, JournalError> {
    reply.await.map_err(|_| gone())?
}

fn gone() -> JournalError {
    JournalError::Unavailable("the server is going down".into())
}

/// A place in the queue.
#[derive(Debug)]
pub(in crate::journal) struct Ticket {
    queue: Arc<Queue>,
    number: u64,
    /// Whether the answer is still to come.
    waits: bool,
}

impl Ticket {
    /// Notes that the answer is there: nothing is to be taken out of the queue.
    pub(in crate::journal) fn answered(mut self) {
        self.waits = false;
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        if self.waits {
            self.queue.give_up(self.number);
        }
    }
}
