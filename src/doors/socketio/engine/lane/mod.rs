//! The express lane: the one way out of a connection, shared by the engine's own bytes and ready-made frames.
//!
//! ```text
//!  engine (handshake, CONNECT, pings) ─▶ Guard ─┐
//!                                               ├─▶ queue, counted in bytes ─▶ writer task ─▶ TCP
//!  hub, acks, replies (shared frames) ──────────┘
//! ```
//!
//! A session that began with polling has no stream of its own yet: its frames take the engine's way until the upgrade
//! is complete. To keep the order across that change, and behind the engine's CONNECT packet, a *mark* is
//! sent through the engine's own queue: when the guard sees it come out, everything before it is out, and the
//! frames that were held back follow. The mark itself never reaches the client.
//!
//! The queue never blocks whoever fills it: it says when it is full, and the hub then parks the client and catches it
//! up later. A client that takes nothing for too long, or that fills its queue with the answers to its own requests, is
//! killed: the guard's stream fails, the engine's own reader and writer end, and its disconnect handler runs.

mod asked;
mod end;
mod engine_way;
mod pulse;
mod reading;
mod reclaim;
#[cfg(test)]
mod tests;
mod upgrade;

use std::{
    collections::VecDeque,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicU8, AtomicUsize},
    },
    time::Duration,
};

use bytes::Bytes;
use futures_util::task::AtomicWaker;
use tokio::sync::Notify;

use super::{
    close_reason::CloseReason,
    frame::Frame,
    gate::{Engine, Gate, hold},
    incoming::Bounds,
    message::Message,
    screen::{Attachments, Passed, Screen, Speech},
};
use crate::{
    channel::Namespace,
    delivery::Outbox,
    delivery::{Outgoing, WireMessage},
    observe::Metrics,
};
pub use asked::{Answered, Asked};
use engine_way::POLLED;
use pulse::Pulse;
pub use upgrade::Upgrade;

/// The engine's ping (Engine.IO 4) and its answer to one (3) as frames. Nothing depends on their place among the others.
const HEARTBEATS: [&[u8]; 2] = [b"\x81\x012", b"\x81\x013"];
/// Bounds on what a client may cost.
#[derive(Debug, Clone, Copy)]
pub struct LaneLimits {
    /// Bytes that may wait for a client.
    pub max_bytes: usize,
    /// Packets that may wait for a client that polls.
    pub max_packets: usize,
    /// How long a client may take nothing while something waits.
    pub stall: Duration,
    /// Bounds on what it may send.
    pub incoming: Bounds,
    /// Bounds on the attachments of a packet.
    pub attachments: Attachments,
    /// How long it may leave a ping unanswered.
    pub ping_timeout: Duration,
}

/// One stay on a namespace, from CONNECT to its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SessionId(u64);

/// The way out of one connection.
#[derive(Debug)]
pub struct ExpressLane {
    /// Filled by the hub, the handlers and the guard, emptied by the writer. Never held across an await.
    state: Mutex<State>,
    /// Wakes the writer: something waits, or it is over.
    pub(super) writer: Notify,
    /// Wakes the guard's reader: killed, or reading may go on.
    pub(super) reader: AtomicWaker,
    /// How many of the client's inboxes are full: while any is, its socket isn't read, and TCP slows it down.
    full_inboxes: AtomicUsize,
    /// A [`CloseReason`] once killed, else 0. Outside the mutex: the reader looks at it on every poll.
    killed: AtomicU8,
    /// Whether the client was ever let onto a namespace: before that it has nothing to attach anything to.
    joined: AtomicBool,
    /// Reads its packets before the engine does. Locked by whoever reads from the client, which is one at a time.
    screen: Mutex<Screen>,
    /// Questions of ours that it has not answered.
    asked: Mutex<asked::Open>,
    /// The engine waits for the answer to a ping: it is given one, and the lane keeps the time itself.
    owes_pong: AtomicBool,
    /// A ping is unanswered; outside the mutex, for each read asks.
    pinged: AtomicBool,
    /// Streams that want to become the session's.
    upgrades: AtomicUsize,
    /// Those of them that were probed: polls are let go.
    probing: AtomicUsize,
    /// Polls that were, since the last was.
    released: AtomicUsize,
    /// Tells polls of the first.
    let_go: Notify,
    /// One of them is.
    is_upgraded: AtomicBool,
    /// The bounds.
    limits: LaneLimits,
    /// Every kill is counted with its reason.
    metrics: Arc<Metrics>,
}

#[derive(Debug)]
struct State {
    /// Which way frames go.
    way: Way,
    /// Whether a namespace's frames may go yet.
    gates: [Gate; Namespace::ALL.len()],
    /// Whose gate it is: a client that left may be told of it only after it came again.
    stay: [u64; Namespace::ALL.len()],
    /// Stays so far.
    stays: u64,
    /// Marks of stays that are over, still in the engine's queue: they must not open the gate of the next one.
    stale_marks: [usize; Namespace::ALL.len()],
    /// What waits for the writer.
    queue: Outbox,
    /// How many bytes wait or are being written, exempt ones not counted.
    bytes: usize,
    /// Bytes of exempt frames still in the queue: they are written first come first served, but don't count.
    exempt: usize,
    /// Something is written: only then may a heartbeat overtake, for the first packet opens the session.
    begun: bool,
    /// The engine is done: write what waits, then close.
    closing: bool,
    /// Packets given to the engine that the client has not fetched.
    in_engine: usize,
    /// A task looks after what waits for room in the engine's queue.
    pouring: bool,
    /// Whether the client is there.
    pulse: Pulse,
}

#[derive(Debug)]
enum Way {
    /// A WebSocket of our own.
    Express,
    /// Polling: through the engine.
    Engine,
}

impl ExpressLane {
    /// The lane of a session that began with a WebSocket.
    pub fn express(limits: LaneLimits, metrics: Arc<Metrics>) -> Arc<Self> {
        Self::new(Way::Express, limits, metrics)
    }

    /// The lane of a session that began with polling.
    pub fn polling(limits: LaneLimits, metrics: Arc<Metrics>) -> Arc<Self> {
        Self::new(Way::Engine, limits, metrics)
    }

    fn new(way: Way, limits: LaneLimits, metrics: Arc<Metrics>) -> Arc<Self> {
        Arc::new(Self {
            state: Mutex::new(State {
                way,
                gates: [Gate::Shut, Gate::Shut, Gate::Shut],
                stay: [0; Namespace::ALL.len()],
                stays: 0,
                stale_marks: [0; Namespace::ALL.len()],
                queue: Outbox::default(),
                bytes: 0,
                exempt: 0,
                begun: false,
                closing: false,
                in_engine: 0,
                pouring: false,
                pulse: Pulse::default(),
            }),
            writer: Notify::new(),
            reader: AtomicWaker::new(),
            full_inboxes: AtomicUsize::new(0),
            killed: AtomicU8::new(0),
            joined: AtomicBool::new(false),
            screen: Mutex::new(Screen::new(limits.attachments, metrics.clone())),
            asked: Mutex::default(),
            owes_pong: AtomicBool::new(false),
            pinged: AtomicBool::new(false),
            upgrades: AtomicUsize::new(0),
            probing: AtomicUsize::new(0),
            released: AtomicUsize::new(0),
            let_go: Notify::new(),
            is_upgraded: AtomicBool::new(false),
            limits,
            metrics,
        })
    }

    /// Begins a namespace: called right after the engine queued its CONNECT packet. What it gives ends the namespace.
    pub fn connect(self: &Arc<Self>, namespace: Namespace, engine: Arc<dyn Engine>) -> SessionId {
        let mut state = self.lock();
        state.shut(namespace);
        state.stays += 1;
        state.stay[namespace as usize] = state.stays;
        let stay = SessionId(state.stays);
        state.gates[namespace as usize] = match state.way {
            Way::Engine => Gate::Open {
                engine,
                overflow: VecDeque::new(),
            },
            Way::Express => hold(engine, VecDeque::new(), namespace),
        };
        self.pour_later(&mut state);
        stay
    }

    /// Ends a stay on a namespace: what was still to be sent on it is dropped. Whoever leaves and comes again at once may
    /// be on it anew by now; that stay goes on.
    pub fn disconnect(&self, namespace: Namespace, stay: SessionId) {
        let mut state = self.lock();
        if state.stay[namespace as usize] == stay.0 {
            state.shut(namespace);
        }
    }

    /// Queues a frame; false when the client owes all that it may, so that no more should come until it has room.
    /// The writer is not woken: call [`ExpressLane::flush`] when all is queued.
    pub fn send(self: &Arc<Self>, frame: &Frame) -> bool {
        self.queue(frame.message(), || frame.clone(), false)
    }

    /// The same for an update, whose frame all observers share; `exempt` as for [`ExpressLane::send_exempt`].
    pub fn send_update(self: &Arc<Self>, update: &Outgoing, exempt: bool) -> bool {
        let message = Frame::message_of(update);
        self.queue(message, || Frame::of_update(message.clone()), exempt)
    }

    /// Queues the answer to a request. A large one was asked for and is not held against who reads it.
    pub fn answer(self: &Arc<Self>, frame: &Frame) {
        let large = frame.bytes().len() > self.limits.max_bytes / 2;
        self.queue(frame.message(), || frame.clone(), large);
    }

    /// Queues a frame that doesn't count towards the bound (a snapshot may be larger than what a client may owe).
    pub fn send_exempt(self: &Arc<Self>, frame: &Frame) {
        self.queue(frame.message(), || frame.clone(), true);
    }

    /// Wakes the writer.
    pub fn flush(&self) {
        self.writer.notify_one();
    }

    /// Whether the client took enough of what it owed that more may come.
    pub fn has_room(&self) -> bool {
        let state = self.lock();
        state.bytes <= self.limits.max_bytes / 2 && state.overflow() <= self.limits.max_packets / 2
    }

    fn queue(
        self: &Arc<Self>,
        message: &Arc<WireMessage>,
        frame: impl Fn() -> Frame,
        exempt: bool,
    ) -> bool {
        if self.killed().is_some() {
            return true;
        }
        let mut state = self.lock();
        let state = &mut *state;
        let len = message.bytes.len();
        if state.bytes > self.limits.max_bytes.saturating_mul(2) {
            self.kill_locked(state, CloseReason::SlowClient);
            return true;
        }
        match (&mut state.gates[message.namespace as usize], &state.way) {
            (Gate::Shut, _) => return true,
            (Gate::Open { engine, overflow }, Way::Engine) => {
                let room = state.in_engine < POLLED && overflow.is_empty();
                if room && engine.send(&frame()) {
                    state.in_engine += 1;
                    return true;
                }
                overflow.push_back(frame());
                state.count(len, exempt);
                self.pour_later(state);
            }
            (Gate::Held { frames, .. }, _) => {
                frames.push_back(frame());
                state.count(len, exempt);
            }
            (Gate::Open { .. }, Way::Express) => {
                state.queue.push(message.clone());
                state.count(len, exempt);
            }
        }
        state.bytes <= self.limits.max_bytes && state.overflow() <= self.limits.max_packets
    }

    /// Queues bytes of the engine's own: whole frames, never refused while the client is within twice its bound. A
    /// heartbeat goes first: behind all that waits for a slow client it would come too late for both sides.
    pub(super) fn engine_bytes(&self, bytes: &[u8]) {
        let mut state = self.lock();
        if state.bytes > self.limits.max_bytes.saturating_mul(2) {
            self.kill_locked(&mut state, CloseReason::SlowClient);
            return;
        }
        let frame = Bytes::copy_from_slice(bytes);
        if state.begun && HEARTBEATS.contains(&bytes) {
            // One that waits already says the same.
            if bytes == HEARTBEATS[0] && state.pulse.waits() {
                return;
            }
            state.queue.push_first(frame);
        } else {
            state.queue.push(WireMessage::aside(frame));
        }
        state.count(bytes.len(), false);
    }

    /// The writer wrote so much.
    pub(super) fn written(&self, len: usize) {
        let mut state = self.lock();
        state.begun |= len > 0;
        state.uncount(len);
    }

    pub(super) fn stall(&self) -> Duration {
        self.limits.stall
    }

    /// Reads a message of the client before the engine does; what that is to read instead.
    ///
    /// # Errors
    /// The connection can't go on.
    pub fn screen(&self, message: Message, speech: Speech) -> Result<Passed, CloseReason> {
        self.screen
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .look(message, speech, self)
    }

    /// The query of a namespace's CONNECT, where a client writes one into its name.
    pub fn query(&self, namespace: Namespace) -> Option<Box<str>> {
        let screen = self.screen.lock().unwrap_or_else(PoisonError::into_inner);
        screen.query(namespace)
    }

    /// Whether the client is on a namespace.
    pub(super) fn is_on(&self, namespace: Namespace) -> bool {
        !matches!(self.lock().gates[namespace as usize], Gate::Shut)
    }

    /// How many bytes wait for the client.
    pub fn waiting(&self) -> usize {
        self.lock().bytes
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// Drops what was to be sent on a namespace. A mark that is under way belongs to what is over.
    fn shut(&mut self, namespace: Namespace) {
        let at = namespace as usize;
        let frames = match std::mem::replace(&mut self.gates[at], Gate::Shut) {
            Gate::Shut => return,
            Gate::Held { frames, marked, .. } => {
                self.stale_marks[at] += usize::from(marked);
                frames
            }
            Gate::Open { overflow, .. } => overflow,
        };
        frames.iter().for_each(|f| self.uncount(f.bytes().len()));
    }

    /// One exempt frame at a time: a second one while the first still waits counts like any other.
    fn count(&mut self, len: usize, exempt: bool) {
        if exempt && self.exempt == 0 {
            self.exempt += len;
        } else {
            self.bytes += len;
        }
    }

    /// Exempt bytes are let go first: the count may only err towards the client's favour for a moment.
    fn uncount(&mut self, len: usize) {
        let exempt = len.min(self.exempt);
        self.exempt -= exempt;
        self.bytes = self.bytes.saturating_sub(len - exempt);
    }
}
