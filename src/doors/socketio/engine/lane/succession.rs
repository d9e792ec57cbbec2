//! The lane of a session that polled and may go on without the engine: whether anything of it is left there.
//!
//! Marks show that all packets before them are out, but the engine's answers to CONNECT packets come without one where they
//! refuse. So these are counted. An odd client whose CONNECT is never answered, since it was on the namespace already, keeps the
//! engine.
//!
//! The engine introduces a client after it has sent the answer to its CONNECT: no gate is open then, though the client may have
//! the answer, and say something. So the namespaces are noted on which it is told and not introduced.

use std::{
    collections::VecDeque,
    sync::atomic::Ordering,
    time::{Duration, Instant},
};

use super::{
    super::{
        gate::{Gate, NoEngine},
        message::{CONNECT, Message},
        packet::Packet,
    },
    express::{ExpressLane, Way},
};
use crate::channel::Namespace;

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
        let Some(Ok(text)) = packet.strip_prefix(b"4").map(std::str::from_utf8) else {
            return;
        };
        if packet.starts_with(CONNECT)
            && let Ok(connect) = Packet::read(text)
            && let Some(namespace) = Namespace::at(connect.namespace)
        {
            *self.lock().told.of(namespace) += 1;
        }
    }

    /// Notes that the engine has introduced a client: its stay has begun.
    pub(in crate::doors::socketio) fn introduced(&self, namespace: Namespace) {
        *self.lock().told.of(namespace) -= 1;
        // The mark of the stay may be out already.
        self.reader.wake();
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
            && state.told.iter().all(|(_, told)| *told == 0)
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

#[cfg(test)]
mod tests {
    use super::super::tests::lane;
    use crate::{
        channel::Namespace,
        doors::socketio::engine::{Message, NoEngine},
    };

    /// A session that left the engine in between would take no more packets on that namespace.
    #[tokio::test]
    async fn a_client_that_is_told_and_not_introduced_is_on_its_namespace_and_in_the_engine() {
        let lane = lane(1 << 20);
        let chat = Namespace::declare("/lane.succession").expect("a path");
        assert!(lane.is_done_with_engine(), "on the root, and nothing else");
        lane.given_to_engine(&Message::text("40/lane.succession,"));
        lane.given_to_engine(&Message::text("40/other,"));
        lane.came_from_engine(b"44/other,{\"message\":\"Invalid namespace\"}");
        assert!(!lane.is_on(chat));
        lane.came_from_engine(b"40/lane.succession,{\"sid\":\"x\"}");
        assert!(lane.is_on(chat), "it is told, so it may say something");
        assert!(!lane.is_done_with_engine());
        let stay = lane.connect(chat, NoEngine::shared());
        lane.introduced(chat);
        assert!(!lane.is_done_with_engine(), "its mark is in the engine");
        lane.marked(chat);
        assert!(lane.is_on(chat) && lane.is_done_with_engine());
        lane.disconnect(chat, stay);
        assert!(!lane.is_on(chat));
    }

    /// A client that polls fetches the answer when its stay has begun, or is over.
    #[tokio::test]
    async fn an_answer_that_is_fetched_late_begins_nothing() {
        let lane = lane(1 << 20);
        let chat = Namespace::declare("/lane.succession.late").expect("a path");
        lane.given_to_engine(&Message::text("40/lane.succession.late,"));
        let stay = lane.connect(chat, NoEngine::shared());
        lane.introduced(chat);
        lane.marked(chat);
        assert!(!lane.is_done_with_engine(), "the answer is in the engine");
        lane.disconnect(chat, stay);
        lane.came_from_engine(b"40/lane.succession.late,{\"sid\":\"x\"}");
        assert!(!lane.is_on(chat) && lane.is_done_with_engine());
    }
}
