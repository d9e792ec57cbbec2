//! Queues frames in the lane: for the hub, the handlers and the engine.

use std::{collections::VecDeque, sync::Arc};

use bytes::Bytes;

use super::{
    super::{
        close_reason::CloseReason,
        frame::Frame,
        gate::{Engine, Gate, hold},
    },
    engine_way::has_room,
    express::{ExpressLane, SessionId, State, Way},
};
use crate::{
    channel::Namespace,
    delivery::{Outgoing, Shape, Updates, WireMessage},
};

/// The engine's ping (Engine.IO 4) and its answer to one (3) as frames. They may overtake other frames.
pub(super) const HEARTBEATS: [&[u8]; 2] = [b"\x81\x012", b"\x81\x013"];

/// Bytes that each waiting frame counts at least, where a client can make many tiny ones: the answer to an empty ping of
/// a WebSocket has two bytes, and takes a hundred times as much memory.
const MIN_FRAME_BYTES: usize = 64;

impl ExpressLane {
    /// Begins a stay on a namespace; called right after the engine queued its CONNECT packet. The stay's id ends it.
    pub fn connect(self: &Arc<Self>, namespace: Namespace, engine: Arc<dyn Engine>) -> SessionId {
        let mut state = self.lock();
        state.shut(namespace);
        state.stays += 1;
        *state.stay.of(namespace) = state.stays;
        let stay = SessionId(state.stays);
        *state.gates.of(namespace) = match state.way {
            Way::Engine => Gate::Open {
                engine,
                overflow: VecDeque::new(),
            },
            Way::Express => hold(engine, VecDeque::new(), namespace),
        };
        self.pour_later(&mut state);
        stay
    }

    /// Ends a stay on a namespace, and drops its frames. The client may have left and come again meanwhile; the new
    /// stay goes on.
    pub fn disconnect(&self, namespace: Namespace, stay: SessionId) {
        let mut state = self.lock();
        let stays = state.stay.get(namespace) != Some(&stay.0);
        if !stays {
            state.shut(namespace);
        }
        drop(state);
        if !stays {
            // Its questions get no answer any more: those who wait learn of it at once.
            self.open().waiting.retain(|_, (on, _)| *on != namespace);
        }
    }

    /// Queues a frame. Returns `false` when the lane is full, so that no more should come until it has room. The writer
    /// is not woken: call [`ExpressLane::flush`] when all frames are queued.
    pub fn send(self: &Arc<Self>, frame: &Frame) -> bool {
        self.queue(frame.message(), || frame.clone(), false)
    }

    /// The same for an update, whose frame all observers share; `exempt` as for [`ExpressLane::send_exempt`]. It may carry its
    /// `place` as a last argument more.
    pub fn send_update(self: &Arc<Self>, update: &Outgoing, exempt: bool, place: bool) -> bool {
        let message = self.message_of(place)(update);
        let first = self.speaks_first_protocol();
        self.queue(message, || Frame::of_update(message.clone(), first), exempt)
    }

    /// Queues updates in a row, which may carry their `places`: as one message, where nothing stands between the queue and
    /// the socket.
    pub fn send_run(self: &Arc<Self>, updates: Updates<'_>, places: bool) -> bool {
        // A client that is behind lacks something before the place of an emission.
        let places = places && updates.is_live();
        let message_of = self.message_of(places);
        let first = self.speaks_first_protocol();
        if let Some(update) = updates.single() {
            let message = message_of(update);
            return self.queue(message, || Frame::of_update(message.clone(), first), false);
        }
        let namespace = updates.iter().next().map(|update| update.namespace);
        if namespace.is_none_or(|namespace| self.is_over(namespace)) {
            return true;
        }
        let shape = match (first, places) {
            (true, _) => Shape::FirstSocketIo,
            (false, true) => Shape::Offset,
            (false, false) => Shape::SocketIo,
        };
        let joined = updates.joined(shape, message_of);
        let mut state = self.lock();
        let gate = state.gates.get(joined.namespace);
        if matches!((gate, &state.way), (Some(Gate::Open { .. }), Way::Express)) {
            return self.queue_locked(
                &mut state,
                joined,
                || Frame::of_update(joined.clone(), first),
                false,
            );
        }
        updates.iter().fold(true, |_, update| {
            let message = message_of(update);
            let frame = || Frame::of_update(message.clone(), first);
            self.queue_locked(&mut state, message, frame, false)
        })
    }

    /// The form of an update's message for this client, with its place or without.
    fn message_of(&self, place: bool) -> fn(&Outgoing) -> &Arc<WireMessage> {
        match (self.speaks_first_protocol(), place) {
            (true, _) => Frame::first_message_of,
            (false, true) => Frame::offset_message_of,
            (false, false) => Frame::message_of,
        }
    }

    /// Queues the answer to a request. A large one doesn't count, since the client asked for it.
    pub fn answer(self: &Arc<Self>, frame: &Frame) {
        if frame.is_beyond_engine() && matches!(self.lock().way, Way::Engine) {
            return;
        }
        let large = frame.bytes().len() > self.limits.max_bytes / 2;
        self.queue(frame.message(), || frame.clone(), large);
    }

    /// Wakes the writer.
    pub fn flush(&self) {
        self.writer.notify_one();
    }

    /// Whether enough was written that more updates may come.
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
        if self.is_over(message.namespace) {
            return true;
        }
        self.queue_locked(&mut self.lock(), message, frame, exempt)
    }

    fn queue_locked(
        self: &Arc<Self>,
        state: &mut State,
        message: &Arc<WireMessage>,
        frame: impl Fn() -> Frame,
        exempt: bool,
    ) -> bool {
        let len = message.bytes.len();
        state.receipt.sent(message.namespace);
        if state.bytes > self.limits.max_bytes.saturating_mul(2) {
            self.kill_locked(state, CloseReason::SlowClient);
            return true;
        }
        match (state.gates.find(message.namespace), &state.way) {
            (None | Some(Gate::Shut), _) => return true,
            (Some(Gate::Open { engine, overflow }), Way::Engine) => {
                let frame = frame();
                let packets = frame.packets();
                let room = has_room(state.in_engine, packets) && overflow.is_empty();
                if room && engine.send(&frame) {
                    state.in_engine += packets;
                    state.stamps.push_back(message.trail.stamp);
                    state.stamps.extend((1..packets).map(|_| None));
                    return true;
                }
                overflow.push_back(frame);
                state.count(len, exempt);
                self.pour_later(state);
            }
            (Some(Gate::Held { frames, .. }), _) => {
                frames.push_back(frame());
                state.count(len, exempt);
            }
            (Some(Gate::Open { .. }), Way::Express) => {
                state.queue.push(message.clone());
                state.count(len, exempt);
                return state.bytes <= self.limits.max_bytes;
            }
        }
        state.bytes <= self.limits.max_bytes && state.overflow() <= self.limits.max_packets
    }

    /// Queues bytes of the engine: whole frames, never refused while the client is within twice its bound. A heartbeat
    /// goes first: behind everything that waits for a slow client it would come too late for both sides.
    pub(in crate::doors::socketio) fn engine_bytes(&self, bytes: &[u8]) {
        let mut state = self.lock();
        let least = state.queue.len().saturating_mul(MIN_FRAME_BYTES);
        if state.bytes.max(least) > self.limits.max_bytes.saturating_mul(2) {
            self.kill_locked(&mut state, CloseReason::SlowClient);
            return;
        }
        if bytes == HEARTBEATS[0] {
            state.note_ping();
        }
        let frame = Bytes::copy_from_slice(bytes);
        if state.begun && HEARTBEATS.contains(&bytes) {
            // A ping that waits already says the same.
            if bytes == HEARTBEATS[0] && state.pulse.waits() {
                return;
            }
            state.queue.push_first(frame);
        } else {
            state.queue.push(WireMessage::aside(frame));
        }
        state.count(bytes.len(), false);
    }

    /// Notes that so many bytes of what waits need not be written, since the writer has a shorter form.
    pub(in crate::doors::socketio::engine) fn spared(&self, len: usize) {
        if len > 0 {
            self.lock().uncount(len);
        }
    }

    /// Notes that the writer has another form of so many bytes of what waits.
    pub(super) fn reformed(&self, before: usize, after: usize) {
        let mut state = self.lock();
        match after.checked_sub(before) {
            Some(more) => state.count(more, false),
            None => state.uncount(before - after),
        }
    }

    /// Notes that the writer wrote so many bytes.
    pub(in crate::doors::socketio::engine) fn written(&self, len: usize) {
        let mut state = self.lock();
        state.begun |= len > 0;
        state.uncount(len);
        drop(state);
        self.metrics.sockets.sent(len);
    }
}
