//! The lane of a session that polled and may go on without the engine: whether anything of it is left there.
//!
//! Marks show that all packets before them are out, but the engine's answers to CONNECT packets come without one where they
//! refuse. So these are counted. An odd client whose CONNECT is never answered, since it was on the namespace already, keeps the
//! engine.

use std::{
    collections::VecDeque,
    sync::atomic::Ordering,
    time::{Duration, Instant},
};

use super::{
    super::{
        gate::{Gate, NoEngine},
        message::{CONNECT, Message},
    },
    express::{ExpressLane, Way},
};

/// The packet that refuses a CONNECT; the one that lets in begins like CONNECT itself.
const CONNECT_ERROR: &[u8] = b"44";

impl ExpressLane {
    /// Notes a message of the client that the engine is given.
    pub(in crate::doors::socketio::engine) fn given_to_engine(&self, message: &Message) {
        if message.is_connect() {
            self.unanswered.fetch_add(1, Ordering::AcqRel);
        }
    }

    /// Notes a packet of the engine that is on its way to the client.
    pub(in crate::doors::socketio::engine) fn came_from_engine(&self, packet: &[u8]) {
        if packet.starts_with(CONNECT) || packet.starts_with(CONNECT_ERROR) {
            self.unanswered.fetch_sub(1, Ordering::AcqRel);
        }
    }

    /// Whether the client is on a namespace by WebSocket, and nothing of it is left in the engine.
    pub(in crate::doors::socketio::engine) fn is_done_with_engine(&self) -> bool {
        if self.unanswered.load(Ordering::Acquire) != 0 || self.killed().is_some() {
            return false;
        }
        let state = self.lock();
        let is_open = |gate: &Gate| matches!(gate, Gate::Open { .. });
        let is_held = |gate: &Gate| matches!(gate, Gate::Held { .. });
        matches!(state.way, Way::Express)
            && state.gates.iter().any(|(_, gate)| is_open(gate))
            && !state.gates.iter().any(|(_, gate)| is_held(gate))
            && state.stale_marks.iter().all(|(_, marks)| *marks == 0)
    }

    /// Lets go of the engine.
    pub(in crate::doors::socketio) fn without_engine(&self) {
        let mut state = self.lock();
        (state.in_engine, state.stamps) = (0, VecDeque::new());
        for (_, gate) in state.gates.iter_mut() {
            if let Gate::Open { engine, overflow } = gate {
                (*engine, *overflow) = (NoEngine::shared(), VecDeque::new());
            }
        }
    }

    /// The time since the session was asked for.
    pub(in crate::doors::socketio) fn age(&self) -> Duration {
        Instant::now().saturating_duration_since(self.requested.0)
    }
}
