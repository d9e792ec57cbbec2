//! The lane's state, and the reads that all of its parts share.

use std::{
    collections::VecDeque,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError, Weak,
        atomic::{AtomicBool, AtomicI32, AtomicU8, AtomicUsize, Ordering},
    },
    task::Waker,
    time::{Duration, Instant},
};

use futures_util::task::AtomicWaker;
use tokio::sync::Notify;

use super::{
    super::{
        gate::Gate,
        incoming::Bounds,
        screen::{Attachments, Screen},
        send_list::SendList,
    },
    open::Open,
    pulse::Pulse,
    receipt::Receipt,
};
use crate::{
    channel::{Namespace, PerNamespace},
    delivery::{Outbox, QueuedMessage},
    net::stream::WriteHalf,
    observe::{ConnectionKind, CountedConnection, Metrics, Sockets, Stamp},
};

/// Bounds on one client's lane.
#[derive(Debug, Clone, Copy)]
pub struct LaneLimits {
    /// Bytes that may wait for a client.
    pub max_bytes: usize,
    /// Packets that may wait for a client that polls.
    pub max_packets: usize,
    /// The time that a client may take nothing while something waits.
    pub stall: Duration,
    /// Bounds on the frames that the client sends.
    pub incoming: Bounds,
    /// Bounds on the attachments of a packet.
    pub attachments: Attachments,
    /// The time that the client may leave a ping unanswered.
    pub ping_timeout: Duration,
}

/// One stay on a namespace, from CONNECT to its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SessionId(pub(super) u64);

/// The way out of one connection.
///
/// The fields that a delivery touches come first, in one line of the cache: with many observers, fetching the others is what a
/// delivery costs.
#[derive(Debug)]
#[repr(C, align(64))]
pub struct ExpressLane {
    /// A `CloseReason` once killed, else 0. Outside the mutex, since the reader checks it on every poll.
    pub(super) killed: AtomicU8,
    /// Whether senders may write to the socket. Outside the mutex, since each flush checks it.
    pub(super) is_direct: AtomicBool,
    /// Whether the client has ever joined a namespace; before that it may send no attachments.
    pub(super) joined: AtomicBool,
    /// Whether the engine waits for the answer to a ping: the lane gives it one, and keeps the time itself.
    pub(super) owes_pong: AtomicBool,
    /// Whether a ping is unanswered. Outside the mutex, since each read checks it.
    pub(super) pinged: AtomicBool,
    /// Whether the client speaks Engine.IO 3.
    pub(super) is_first_protocol: AtomicBool,
    /// Whether the client has the msgpack parser.
    pub(super) speaks_msgpack: AtomicBool,
    /// Filled by the hub, the handlers and the guard, emptied by the writer. Never held across an await.
    pub(super) state: Mutex<State>,
    /// The list in which the lane waits for its sender.
    pub(super) list: Arc<SendList<ExpressLane>>,
    pub(super) limits: LaneLimits,
    /// Wakes the writer: a message waits, or the lane ends.
    pub(in crate::doors::socketio::engine) writer: Notify,
    /// Wakes the guard's reader: the lane was killed, or reading may go on.
    pub(in crate::doors::socketio::engine) reader: AtomicWaker,
    /// The number of the client's inboxes that are full: while any is, its socket isn't read, and TCP slows it down.
    pub(super) full_inboxes: AtomicUsize,
    /// Reads the client's packets before the engine does. Locked by the one task that reads from the client.
    pub(super) screen: Mutex<Screen>,
    /// Questions that the client has not answered.
    pub(super) asked: Mutex<Open>,
    /// Streams that want to become the session's.
    pub(super) upgrades: AtomicUsize,
    /// Streams among these that were probed: polls are released for them.
    pub(super) probing: AtomicUsize,
    /// Polls released since a stream was last probed.
    pub(super) released: AtomicUsize,
    /// Tells polls that a stream was probed.
    pub(super) let_go: Notify,
    /// Whether one of these streams has become the session's.
    pub(super) is_upgraded: AtomicBool,
    /// CONNECT packets that the engine has not answered; where the lane has room for it.
    pub(super) unanswered: AtomicI32,
    /// The time of the session's request, and whether a namespace was asked for since.
    pub(super) requested: (Instant, AtomicBool),
    /// The answer to CONNECT on each namespace: the id that the client knows itself by there, and perhaps its session's secret.
    pub(super) answers: Mutex<PerNamespace<Option<Arc<str>>>>,
    /// The session as it is counted while it is on a namespace.
    counted: Mutex<Weak<CountedConnection>>,
    /// Counts every kill with its reason.
    pub(super) metrics: Arc<Metrics>,
}

/// The part of a lane that changes with each message; in the order in which a delivery needs it.
#[derive(Debug)]
#[repr(C)]
pub(super) struct State {
    /// The way that frames take.
    pub(super) way: Way,
    /// The task that is writing to the socket now, if any.
    pub(super) hands: Hands,
    /// Whether anything was written. Only then may a heartbeat overtake, since the first packet opens the session.
    pub(super) begun: bool,
    /// Whether the engine is done, so that the lane closes once it is empty.
    pub(super) closing: bool,
    /// Bytes of an exempt frame in the queue: it is written in its turn, but doesn't count.
    pub(super) exempt: u32,
    /// Bytes that wait or are being written, exempt ones not counted.
    pub(super) bytes: usize,
    pub(super) queue: Outbox,
    /// The socket, while senders may write to it.
    pub(super) socket: Option<Arc<WriteHalf>>,
    /// The state of each namespace: whether its frames may go out.
    pub(super) gates: PerNamespace<Gate>,
    /// Whether a task fills the engine's queue.
    pub(super) pouring: bool,
    /// A message that a sender could not write whole, with the bytes of it that it wrote: the writer goes on with it.
    pub(super) rest: Option<(QueuedMessage, usize)>,
    /// The stay that each gate belongs to: the end of an old stay may be noticed after the client has come again.
    pub(super) stay: PerNamespace<u64>,
    /// The number of stays so far.
    pub(super) stays: u64,
    /// Marks of ended stays that are still in the engine's queue: they must not open the gate of the next stay.
    pub(super) stale_marks: PerNamespace<usize>,
    /// The clients that the engine has introduced and that were not told yet that they are in.
    pub(super) introduced: PerNamespace<u8>,
    /// Wakes the task that holds such a client's answer.
    pub(super) holds_answer: Option<Waker>,
    /// Packets in the engine that the client has not fetched.
    pub(super) in_engine: usize,
    /// The stamps of these packets, in their order.
    pub(super) stamps: VecDeque<Option<Stamp>>,
    /// The ping that the client has not answered.
    pub(super) pulse: Pulse,
    /// Whether the client has everything that it was sent.
    pub(super) receipt: Receipt,
}

/// The task that writes to a socket: one at a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Hands {
    /// None does.
    Free,
    /// The connection's own writer, which may wait for the socket.
    Writer,
    /// A sender, which never waits.
    Sender,
}

#[derive(Debug)]
pub(super) enum Way {
    /// A WebSocket that the server writes itself.
    Express,
    /// Polling, through the engine.
    Engine,
}

impl ExpressLane {
    /// The lane of a session that began with a WebSocket.
    pub fn express(
        limits: LaneLimits,
        list: Arc<SendList<ExpressLane>>,
        metrics: Arc<Metrics>,
    ) -> Arc<Self> {
        Self::new(Way::Express, limits, list, metrics)
    }

    /// The lane of a session that began with polling.
    pub fn polling(
        limits: LaneLimits,
        list: Arc<SendList<ExpressLane>>,
        metrics: Arc<Metrics>,
    ) -> Arc<Self> {
        Self::new(Way::Engine, limits, list, metrics)
    }

    fn new(
        way: Way,
        limits: LaneLimits,
        list: Arc<SendList<ExpressLane>>,
        metrics: Arc<Metrics>,
    ) -> Arc<Self> {
        Arc::new(Self {
            state: Mutex::new(State {
                way,
                gates: PerNamespace::default(),
                stay: PerNamespace::default(),
                stays: 0,
                stale_marks: PerNamespace::default(),
                introduced: PerNamespace::default(),
                holds_answer: None,
                queue: Outbox::default(),
                bytes: 0,
                exempt: 0,
                begun: false,
                closing: false,
                in_engine: 0,
                stamps: VecDeque::new(),
                hands: Hands::Free,
                rest: None,
                socket: None,
                pouring: false,
                pulse: Pulse::default(),
                receipt: Receipt::default(),
            }),
            writer: Notify::new(),
            reader: AtomicWaker::new(),
            full_inboxes: AtomicUsize::new(0),
            is_direct: AtomicBool::new(false),
            list,
            killed: AtomicU8::new(0),
            joined: AtomicBool::new(false),
            is_first_protocol: AtomicBool::new(false),
            speaks_msgpack: AtomicBool::new(false),
            screen: Mutex::new(Screen::new(
                limits.attachments,
                limits.incoming.max_connects,
                metrics.clone(),
            )),
            asked: Mutex::default(),
            owes_pong: AtomicBool::new(false),
            pinged: AtomicBool::new(false),
            upgrades: AtomicUsize::new(0),
            probing: AtomicUsize::new(0),
            released: AtomicUsize::new(0),
            let_go: Notify::new(),
            is_upgraded: AtomicBool::new(false),
            requested: (Instant::now(), AtomicBool::new(false)),
            answers: Mutex::default(),
            unanswered: AtomicI32::new(0),
            counted: Mutex::default(),
            limits,
            metrics,
        })
    }

    /// The time of the request that a CONNECT packet belongs to: the session's own for the first one, now for others.
    pub fn requested(&self) -> Instant {
        let (first, is_over) = &self.requested;
        match is_over.swap(true, Ordering::Relaxed) {
            false => *first,
            true => Instant::now(),
        }
    }

    /// Counts the session once, for as long as any of the returned counts is held.
    pub fn count(&self, role: &'static str) -> Arc<CountedConnection> {
        let state = self.lock();
        let mut counted = self.counted();
        if let Some(counted) = counted.upgrade() {
            counted.set_role(role);
            return counted;
        }
        let transport = match state.way {
            Way::Express => "websocket",
            Way::Engine => "polling",
        };
        let new = Arc::new(self.metrics.live.begin(ConnectionKind {
            transport,
            door: "socketio",
            role,
        }));
        *counted = Arc::downgrade(&new);
        new
    }

    /// Counts the session as a WebSocket from now on.
    pub(super) fn count_as_websocket(&self) {
        if let Some(counted) = self.counted().upgrade() {
            counted.set_transport("websocket");
        }
    }

    fn counted(&self) -> MutexGuard<'_, Weak<CountedConnection>> {
        self.counted.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether the client is on a namespace.
    pub(in crate::doors::socketio::engine) fn is_on(&self, namespace: Namespace) -> bool {
        self.lock().is_on(namespace)
    }

    /// A namespace that the client is on.
    pub(in crate::doors::socketio::engine) fn first_on(&self) -> Option<Namespace> {
        self.lock().first_on()
    }

    /// Notes that the client speaks Engine.IO 3.
    pub(in crate::doors::socketio::engine) fn speak_first_protocol(&self) {
        self.is_first_protocol.store(true, Ordering::Release);
    }

    /// Whether the client speaks Engine.IO 3.
    pub(in crate::doors::socketio) fn speaks_first_protocol(&self) -> bool {
        self.is_first_protocol.load(Ordering::Acquire)
    }

    /// Bytes that wait for the client.
    pub fn waiting(&self) -> usize {
        self.lock().bytes
    }

    /// The figures of the sockets, in which writers count.
    pub(in crate::doors::socketio::engine) fn sockets(&self) -> &Sockets {
        &self.metrics.sockets
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
    /// Whether the client is on a namespace.
    pub(super) fn is_on(&self, namespace: Namespace) -> bool {
        let gate = self.gates.get(namespace);
        gate.is_some_and(|gate| !matches!(gate, Gate::Shut))
    }

    /// A namespace that the client is on.
    pub(super) fn first_on(&self) -> Option<Namespace> {
        let mut gates = self.gates.iter();
        let on = gates.find(|(_, gate)| !matches!(gate, Gate::Shut));
        on.map(|(namespace, _)| namespace)
    }

    /// Drops the frames for a namespace. A mark in the engine's queue belongs to the stay that ends.
    pub(super) fn shut(&mut self, namespace: Namespace) {
        let frames = match self.gates.find(namespace).map(std::mem::take) {
            None | Some(Gate::Shut) => return,
            Some(Gate::Held { frames, marked, .. }) => {
                *self.stale_marks.of(namespace) += usize::from(marked);
                frames
            }
            Some(Gate::Open { overflow, .. }) => overflow,
        };
        frames.iter().for_each(|f| self.uncount(f.bytes().len()));
    }

    /// Counts a frame. Only one exempt frame is free at a time: a second one that comes while it waits counts like any
    /// other.
    pub(super) fn count(&mut self, len: usize, exempt: bool) {
        match u32::try_from(len) {
            Ok(len) if exempt && self.exempt == 0 => self.exempt = len,
            _ => self.bytes += len,
        }
    }

    /// Uncounts bytes, exempt ones first: for a moment the count may be too low, but never too high.
    pub(super) fn uncount(&mut self, len: usize) {
        let exempt = u32::try_from(len).unwrap_or(u32::MAX).min(self.exempt);
        self.exempt -= exempt;
        self.bytes = self.bytes.saturating_sub(len - exempt as usize);
    }
}
