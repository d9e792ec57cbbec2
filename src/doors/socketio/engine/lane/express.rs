//! The lane itself: what it knows, and what all of its parts read of that.

use std::{
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicU8, AtomicUsize},
    },
    time::Duration,
};

use futures_util::task::AtomicWaker;
use tokio::sync::Notify;

use super::{
    super::{
        gate::Gate,
        incoming::Bounds,
        screen::{Attachments, Screen},
    },
    open::Open,
    pulse::Pulse,
};
use crate::{channel::Namespace, delivery::Outbox, observe::Metrics};

/// Bounds on what a client may cost.
#[derive(Debug, Clone, Copy)]
pub struct LaneLimits {
    /// Bytes that may wait for a client.
    pub max_bytes: usize,
    /// Packets that may wait for a client that polls.
    pub max_packets: usize,
    /// The time that a client may take nothing while something waits.
    pub stall: Duration,
    /// Bounds on what it may send.
    pub incoming: Bounds,
    /// Bounds on the attachments of a packet.
    pub attachments: Attachments,
    /// The time that it may leave a ping unanswered.
    pub ping_timeout: Duration,
}

/// One stay on a namespace, from CONNECT to its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SessionId(pub(super) u64);

/// The way out of one connection.
#[derive(Debug)]
pub struct ExpressLane {
    /// Filled by the hub, the handlers and the guard, emptied by the writer. Never held across an await.
    pub(super) state: Mutex<State>,
    /// Wakes the writer: something waits, or it is over.
    pub(in crate::doors::socketio::engine) writer: Notify,
    /// Wakes the guard's reader: killed, or reading may go on.
    pub(in crate::doors::socketio::engine) reader: AtomicWaker,
    /// The count of the client's inboxes that are full: while any is, its socket isn't read, and TCP slows it down.
    pub(super) full_inboxes: AtomicUsize,
    /// A `CloseReason` once killed, else 0. Outside the mutex: the reader looks at it on every poll.
    pub(super) killed: AtomicU8,
    /// Whether the client was ever let onto a namespace: before that it has nothing to attach anything to.
    pub(super) joined: AtomicBool,
    /// Reads its packets before the engine does. Locked by whoever reads from the client, which is one at a time.
    pub(super) screen: Mutex<Screen>,
    /// Questions of ours that it has not answered.
    pub(super) asked: Mutex<Open>,
    /// The engine waits for the answer to a ping: it is given one, and the lane keeps the time itself.
    pub(super) owes_pong: AtomicBool,
    /// A ping is unanswered; outside the mutex, for each read asks.
    pub(super) pinged: AtomicBool,
    /// Streams that want to become the session's.
    pub(super) upgrades: AtomicUsize,
    /// Those of them that were probed: polls are let go.
    pub(super) probing: AtomicUsize,
    /// Polls that were, since the last was.
    pub(super) released: AtomicUsize,
    /// Tells polls of the first.
    pub(super) let_go: Notify,
    /// One of them is.
    pub(super) is_upgraded: AtomicBool,
    /// The bounds.
    pub(super) limits: LaneLimits,
    /// Every kill is counted with its reason.
    pub(super) metrics: Arc<Metrics>,
}

#[derive(Debug)]
pub(super) struct State {
    /// Which way frames go.
    pub(super) way: Way,
    /// Whether a namespace's frames may go yet.
    pub(super) gates: [Gate; Namespace::ALL.len()],
    /// Whose gate it is: a client that left may be told of it only after it came again.
    pub(super) stay: [u64; Namespace::ALL.len()],
    /// Stays so far.
    pub(super) stays: u64,
    /// Marks of stays that are over, still in the engine's queue: they must not open the gate of the next one.
    pub(super) stale_marks: [usize; Namespace::ALL.len()],
    /// The messages that wait for the writer.
    pub(super) queue: Outbox,
    /// The bytes that wait or are being written, exempt ones not counted.
    pub(super) bytes: usize,
    /// Bytes of exempt frames still in the queue: they are written first come first served, but don't count.
    pub(super) exempt: usize,
    /// Something is written: only then may a heartbeat overtake, for the first packet opens the session.
    pub(super) begun: bool,
    /// The engine is done: write what waits, then close.
    pub(super) closing: bool,
    /// Packets given to the engine that the client has not fetched.
    pub(super) in_engine: usize,
    /// A task looks after what waits for room in the engine's queue.
    pub(super) pouring: bool,
    /// Whether the client is there.
    pub(super) pulse: Pulse,
}

#[derive(Debug)]
pub(super) enum Way {
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

    /// Whether the client is on a namespace.
    pub(in crate::doors::socketio::engine) fn is_on(&self, namespace: Namespace) -> bool {
        !matches!(self.lock().gates[namespace as usize], Gate::Shut)
    }

    /// The bytes that wait for the client.
    pub fn waiting(&self) -> usize {
        self.lock().bytes
    }

    pub(in crate::doors::socketio::engine) fn stall(&self) -> Duration {
        self.limits.stall
    }

    /// Locks the lane's state for a moment.
    pub(super) fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// Drops what was to be sent on a namespace. A mark that is under way belongs to what is over.
    pub(super) fn shut(&mut self, namespace: Namespace) {
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
    pub(super) fn count(&mut self, len: usize, exempt: bool) {
        if exempt && self.exempt == 0 {
            self.exempt += len;
        } else {
            self.bytes += len;
        }
    }

    /// Exempt bytes are let go first: the count may only err towards the client's favour for a moment.
    pub(super) fn uncount(&mut self, len: usize) {
        let exempt = len.min(self.exempt);
        self.exempt -= exempt;
        self.bytes = self.bytes.saturating_sub(len - exempt);
    }
}
