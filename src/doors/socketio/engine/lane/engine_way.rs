//! The way through the engine: the frames of a session that polls, and its upgrade to a WebSocket.
//!
//! The engine has a queue of its own, counted in packets. The lane gives it no more than one polling answer may hold;
//! further packets wait here, where they are counted in bytes.

use std::{collections::VecDeque, sync::Arc, time::Duration};

use super::{
    super::{
        frame::Frame,
        gate::{Gate, hold, mark},
    },
    express::{ExpressLane, State, Way},
};
use crate::channel::Namespace;

/// The interval at which the engine's full queue is tried again.
const POUR_RETRY_INTERVAL: Duration = Duration::from_millis(20);
/// Packets that one polling answer may hold: python-engineio takes no more than 16, and the engine adds its own.
const MAX_POLLED_PACKETS: usize = 14;

/// Whether so many packets have room beside those that the client has not fetched.
pub(super) fn has_room(in_engine: usize, packets: usize) -> bool {
    in_engine == 0 || in_engine + packets <= MAX_POLLED_PACKETS
}

impl ExpressLane {
    /// Starts a task that fills the engine's queue while packets wait for it: the engine doesn't say when it has room.
    pub(super) fn pour_later(self: &Arc<Self>, state: &mut State) {
        if state.pouring || !state.waits_for_engine() {
            return;
        }
        state.pouring = true;
        let lane = self.clone();
        tokio::spawn(async move {
            loop {
                tokio::time::sleep(POUR_RETRY_INTERVAL).await;
                if !lane.pour() {
                    return;
                }
            }
        });
    }

    /// Gives the engine the packets that it has room for, and says whether more wait.
    fn pour(&self) -> bool {
        let mut state = self.lock();
        let state = &mut *state;
        let mut poured = 0;
        for (namespace, gate) in state.gates.iter_mut() {
            match gate {
                Gate::Held { engine, marked, .. } if !*marked => {
                    *marked = engine.send(&mark(namespace));
                }
                Gate::Open { engine, overflow } => {
                    while let Some(packets) = overflow.front().map(Frame::packets)
                        && has_room(state.in_engine, packets)
                        && overflow.front().is_some_and(|frame| engine.send(frame))
                    {
                        state.in_engine += packets;
                        let frame = overflow.pop_front();
                        let stamp = frame.as_ref().and_then(|f| f.message().trail.stamp);
                        state.stamps.push_back(stamp);
                        state.stamps.extend((1..packets).map(|_| None));
                        poured += frame.map_or(0, |f| f.bytes().len());
                    }
                }
                _ => {}
            }
        }
        state.uncount(poured);
        state.pouring = state.waits_for_engine();
        state.pouring
    }

    /// Notes that the client fetched so many of the engine's packets.
    pub fn polled(&self, packets: usize) {
        {
            let mut state = self.lock();
            state.in_engine = state.in_engine.saturating_sub(packets);
            let fetched = packets.min(state.stamps.len());
            let stamps = state.stamps.drain(..fetched).flatten();
            self.metrics.sockets.written(stamps);
        }
        self.pour();
    }

    /// Sends on the WebSocket from now on: the upgrade has passed the point where polling could carry anything.
    pub(in crate::doors::socketio::engine) fn upgraded(self: &Arc<Self>) {
        let mut state = self.lock();
        if matches!(state.way, Way::Express) {
            return;
        }
        state.way = Way::Express;
        // The packets that the engine still holds are its own to write from here on.
        state.stamps.clear();
        self.count_as_websocket();
        for (namespace, gate) in state.gates.iter_mut() {
            if let Gate::Open { engine, overflow } = gate {
                *gate = hold(engine.clone(), std::mem::take(overflow), namespace);
            }
        }
        self.pour_later(&mut state);
    }

    /// Opens a namespace's gate, when its mark came out of the engine's queue.
    pub(in crate::doors::socketio) fn marked(&self, namespace: Namespace) {
        let mut state = self.lock();
        let state = &mut *state;
        let stale = state.stale_marks.of(namespace);
        if *stale > 0 {
            *stale -= 1;
            return;
        }
        let gate = state.gates.of(namespace);
        if let Gate::Held { engine, frames, .. } = gate {
            let engine = engine.clone();
            for frame in frames.drain(..) {
                state.queue.push_told(frame.message().clone());
            }
            *gate = Gate::Open {
                engine,
                overflow: VecDeque::new(),
            };
        }
        self.flush();
    }
}

impl State {
    /// Packets that wait for room in the engine's queue.
    pub(super) fn overflow(&self) -> usize {
        self.gates.iter().map(|(_, gate)| gate.waiting()).sum()
    }

    /// Whether any packet waits for room in the engine's queue.
    fn waits_for_engine(&self) -> bool {
        self.gates.iter().any(|(_, gate)| gate.waits_for_engine())
    }
}
