//! The queue of one observer: messages that wait until the client takes them, counted in bytes.
//!
//! Server-sent events and WebSockets have it alike. The connection notices a client that takes nothing: it sees each
//! byte that is taken, and the queue's reader only whole messages.

use std::{
    fmt,
    future::poll_fn,
    num::NonZeroU64,
    pin::pin,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    task::{Context, Poll, ready},
    time::{Duration, Instant},
};

use bytes::Bytes;
use futures_util::task::AtomicWaker;
use smallvec::SmallVec;

use super::batching::Manner;
use crate::{
    channel::Namespace,
    delivery::{Outbox, Outgoing, Reclaimed, WireMessage},
    error::Error,
    event::Object,
    hub::Outlet,
    observe::{Sockets, Stamp},
};

/// The wire shape of one door.
pub(crate) trait Wire: fmt::Debug + Send + Sync + 'static {
    /// An update in this shape, made once for all who take it; none if clients of this door are not sent it.
    fn message<'u>(&self, update: &'u Outgoing) -> Option<&'u Arc<WireMessage>>;

    /// The fields of the message that tells a client why something was refused, about this room if it names one.
    fn refusal(&self, refusal: &Error, room: Option<&str>) -> Object {
        refusal.to_event(room)
    }

    /// Whether clients of this door are not sent the updates that they publish by the same connection.
    fn leaves_out_own(&self) -> bool {
        false
    }
}

/// The next step of a queue's reader.
enum Step {
    /// This is to be written.
    Message(Arc<WireMessage>),
    /// These are to be written as one, in this way.
    Batch(Vec<Arc<WireMessage>>, fn(&[Arc<WireMessage>]) -> Bytes),
    /// Updates wait until then for others to share a batch with.
    Held(Instant),
    /// Nothing waits.
    Empty,
}

/// The queue that the hub fills and the connection empties.
#[derive(Debug)]
pub(crate) struct ObserverQueue {
    /// The shape of the messages.
    wire: &'static dyn Wire,
    /// Never held across an await.
    state: Mutex<State>,
    reader: AtomicWaker,
    /// The most bytes that may wait; beyond it the observer is parked.
    max_bytes: usize,
    /// Counts how long messages took.
    sockets: Sockets,
    /// The number of the connection, if the observer is not sent what it publishes.
    connection: Option<NonZeroU64>,
    manner: Manner,
}

/// The interval at which a queue is looked at that is to be taken.
const TAKEN_CHECK_INTERVAL: Duration = Duration::from_millis(5);

/// The number of the last connection that got one.
static CONNECTIONS: AtomicU64 = AtomicU64::new(0);

#[derive(Debug)]
struct State {
    queue: Outbox,
    /// Bytes that wait.
    bytes: usize,
    /// The stamps of messages that were taken and are not yet written.
    taken: Vec<Stamp>,
    /// Whether the hub has let go of the observer, so that nothing is added to the queue.
    ended: bool,
    /// Whether the observer is to connect again: it is sent no further updates, and the queue ends with what waits.
    is_finishing: bool,
}

impl ObserverQueue {
    pub(crate) fn new(wire: &'static dyn Wire, max_bytes: usize, sockets: Sockets) -> Arc<Self> {
        Self::with_manner(wire, max_bytes, sockets, Manner::default())
    }

    /// A queue with a manner of its own.
    pub(crate) fn with_manner(
        wire: &'static dyn Wire,
        max_bytes: usize,
        sockets: Sockets,
        manner: Manner,
    ) -> Arc<Self> {
        Arc::new(Self {
            manner,
            wire,
            state: Mutex::new(State {
                queue: Outbox::default(),
                bytes: 0,
                taken: Vec::new(),
                ended: false,
                is_finishing: false,
            }),
            reader: AtomicWaker::new(),
            max_bytes,
            sockets,
            connection: wire
                .leaves_out_own()
                .then(|| CONNECTIONS.fetch_add(1, Ordering::Relaxed) + 1)
                .and_then(NonZeroU64::new),
        })
    }

    /// The number by which the observer's own updates are known and left out; none if it is sent them.
    pub(super) fn own_updates_of(&self) -> Option<NonZeroU64> {
        self.connection
    }

    /// The bytes of the next message; `None` at the end.
    pub(crate) fn poll_next(&self, cx: &Context<'_>) -> Poll<Option<Bytes>> {
        let next = self.poll_message(cx);
        next.map(|message| message.map(|message| message.bytes.clone()))
    }

    /// The next message, which others may share; `None` at the end.
    pub(super) fn poll_message(&self, cx: &Context<'_>) -> Poll<Option<Arc<WireMessage>>> {
        self.reader.register(cx.waker());
        let mut state = self.lock();
        match state.take(&self.manner) {
            Some(message) => Poll::Ready(Some(message)),
            None if state.is_over() => Poll::Ready(None),
            None => Poll::Pending,
        }
    }

    /// The next message of a queue whose updates may go in batches; `None` at the end.
    pub(super) async fn next(&self) -> Option<Arc<WireMessage>> {
        if self.manner.batching.is_none() {
            return poll_fn(|cx| self.poll_message(cx)).await;
        }
        let mut due = pin!(tokio::time::sleep(Duration::ZERO));
        poll_fn(|cx| {
            loop {
                self.reader.register(cx.waker());
                let mut state = self.lock();
                match state.step(&self.manner) {
                    Step::Message(message) => return Poll::Ready(Some(message)),
                    Step::Batch(updates, write) => {
                        // The hub must not wait for the queue while the batch is written.
                        drop(state);
                        return Poll::Ready(Some(WireMessage::batch(&updates, write)));
                    }
                    Step::Empty if state.is_over() => return Poll::Ready(None),
                    Step::Empty => return Poll::Pending,
                    Step::Held(until) => {
                        drop(state);
                        due.as_mut().reset(until.into());
                        ready!(due.as_mut().poll(cx));
                    }
                }
            }
        })
        .await
    }

    /// The next message, if one waits.
    pub(super) fn pop_now(&self) -> Option<Arc<WireMessage>> {
        let step = self.lock().step(&self.manner);
        match step {
            Step::Message(message) => Some(message),
            Step::Batch(updates, write) => Some(WireMessage::batch(&updates, write)),
            Step::Held(_) | Step::Empty => None,
        }
    }

    /// Notes that all messages that were taken are written, and counts how long they took.
    pub(super) fn written(&self) {
        let mut state = self.lock();
        self.sockets.written(state.taken.drain(..));
    }

    /// The fields of the message that tells the client of a refusal.
    pub(super) fn refusal(&self, refusal: &Error, room: Option<&str>) -> Object {
        self.wire.refusal(refusal, room)
    }

    /// Ends the queue with what waits: no update follows, and answers only until that is taken.
    pub(super) fn finish(&self) {
        self.lock().is_finishing = true;
        self.reader.wake();
    }

    /// Ends the queue now: what waits is dropped, and the observer gets it with its cursor.
    pub(super) fn cut(&self) {
        let mut state = self.lock();
        state.ended = true;
        state.bytes = 0;
        self.manner.count(state.queue.updates(), -1);
        state.queue.clear();
        drop(state);
        self.reader.wake();
    }

    /// Waits until all that waits is taken, or the observer is gone.
    pub(super) async fn taken(&self) {
        while !self.is_empty() && !self.is_over() {
            tokio::time::sleep(TAKEN_CHECK_INTERVAL).await;
        }
    }

    /// Whether nothing waits.
    pub(super) fn is_empty(&self) -> bool {
        self.lock().bytes == 0
    }

    /// Whether the observer has left or was put out.
    pub(super) fn is_over(&self) -> bool {
        self.lock().ended
    }

    /// Queues a message that belongs to no place of the stream: an answer.
    pub(super) fn push_aside(&self, bytes: Bytes) {
        let mut state = self.lock();
        if !state.ended {
            state.bytes += bytes.len();
            state.queue.push(WireMessage::aside(bytes));
        }
        drop(state);
        self.reader.wake();
    }

    /// Ends the queue with this message: earlier ones that still wait are dropped, and nothing follows.
    pub(super) fn end_with(&self, last: &Outgoing) {
        let piece = self.wire.message(last);
        let piece = piece.map_or_else(Bytes::new, |message| message.bytes.clone());
        let mut state = self.lock();
        if !state.ended {
            state.ended = true;
            state.bytes = piece.len();
            self.manner.count(state.queue.updates(), -1);
            state.queue.clear();
            if !piece.is_empty() {
                state.queue.push_first(piece);
            }
        }
        drop(state);
        self.reader.wake();
    }

    /// Whether a message with this text waits.
    #[cfg(test)]
    pub(crate) fn holds(&self, text: &str) -> bool {
        self.lock().queue.holds(text)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for ObserverQueue {
    fn drop(&mut self) {
        self.manner.count(self.lock().queue.updates(), -1);
    }
}

impl State {
    /// Whether nothing is to come that does not wait already.
    fn is_over(&self) -> bool {
        self.ended || self.is_finishing
    }

    /// The reader's next step.
    fn step(&mut self, manner: &Manner) -> Step {
        let Some(batching) = &manner.batching else {
            return self.take(manner).map_or(Step::Empty, Step::Message);
        };
        // Answers belong to no place of the stream, so they don't wait with a batch.
        if let Some(aside) = self.queue.pop_aside(batching.size) {
            return Step::Message(self.taken(manner, aside.message));
        }
        let run = (0..batching.size).map_while(|at| self.queue.get(at));
        let run = run.take_while(|message| message.priority().is_some());
        let dues: SmallVec<[Instant; 16]> = run.map(|message| batching.due(message)).collect();
        let Some(&due) = dues.iter().min() else {
            return self.take(manner).map_or(Step::Empty, Step::Message);
        };
        let is_full = dues.len() == batching.size || self.queue.get(dues.len()).is_some();
        if !is_full && !self.is_over() && due > Instant::now() {
            return Step::Held(due);
        }
        let mut batch = Vec::with_capacity(dues.len());
        for _ in 0..dues.len() {
            if let Some(piece) = self.queue.pop() {
                batch.push(self.taken(manner, piece.message));
            }
        }
        manner.sent_batch(batch.len());
        Step::Batch(batch, batching.write)
    }

    /// The next message, which is being written from here on.
    fn take(&mut self, manner: &Manner) -> Option<Arc<WireMessage>> {
        let message = self.queue.pop()?.message;
        Some(self.taken(manner, message))
    }

    /// A message that left the queue.
    fn taken(&mut self, manner: &Manner, message: Arc<WireMessage>) -> Arc<WireMessage> {
        manner.count([&message], -1);
        self.bytes -= message.bytes.len();
        self.taken.extend(message.trail.stamp);
        message
    }
}

/// The hub's end of a queue; the queue ends when it is dropped.
#[derive(Debug)]
pub(crate) struct QueueOutlet(pub(crate) Arc<ObserverQueue>);

impl Outlet for QueueOutlet {
    fn send(&self, update: &Outgoing) -> bool {
        if self.0.connection.is_some_and(|own| update.is_sent_by(own)) {
            return true;
        }
        let Some(message) = self.0.wire.message(update).cloned() else {
            return true;
        };
        let mut state = self.0.lock();
        if state.is_over() {
            return true;
        }
        state.bytes += message.bytes.len();
        self.0.manner.count([&message], 1);
        state.queue.push(message);
        state.bytes <= self.0.max_bytes
    }

    fn send_exempt(&self, update: &Outgoing) {
        self.send(update);
    }

    fn flush(&self) {
        self.0.reader.wake();
    }

    fn has_room(&self) -> bool {
        self.0.lock().bytes <= self.0.max_bytes / 2
    }

    fn waiting(&self) -> usize {
        self.0.lock().bytes
    }

    fn reclaim(&self, keeps: &dyn Fn(&str) -> bool) -> Option<Reclaimed> {
        let mut state = self.0.lock();
        let manner = &self.0.manner;
        manner.count(state.queue.updates(), -1);
        let taken = state.queue.reclaim(Namespace::Root, keeps);
        manner.count(state.queue.updates(), 1);
        state.bytes -= taken.as_ref().map_or(0, |taken| taken.bytes);
        taken
    }

    fn settle(&self) {
        self.0.lock().queue.settle(Namespace::Root);
    }
}

impl Drop for QueueOutlet {
    fn drop(&mut self) {
        self.0.lock().ended = true;
        self.0.reader.wake();
    }
}
