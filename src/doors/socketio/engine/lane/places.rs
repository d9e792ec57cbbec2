//! The lane's part in recovery: updates may carry their place, and it is known whether the client has all that it was sent.

use std::sync::atomic::Ordering;

use super::{
    super::gate::Gate,
    express::{ExpressLane, Hands, State, Way},
};
use crate::channel::Namespace;

impl ExpressLane {
    /// Whether the client surely has every message that it was sent on `/`.
    pub fn has_all(&self) -> bool {
        self.lock().receipt.is_all()
    }

    /// Has updates on `/` carry their cursor as a last argument more.
    pub fn send_offsets(&self) {
        self.sends_offsets.store(true, Ordering::Release);
    }

    pub(super) fn sends_offsets(&self) -> bool {
        self.sends_offsets.load(Ordering::Relaxed)
    }

    /// Whether the lane is killed: a message that comes now is lost.
    pub(super) fn is_over(&self) -> bool {
        let is_over = self.killed().is_some();
        if is_over {
            self.lock().receipt.sent(Namespace::Root);
        }
        is_over
    }

    /// Notes the client's answer to a ping.
    pub(super) fn ponged(&self) {
        self.lock().receipt.answered();
    }
}

impl State {
    /// Notes a ping that is queued next: it overtakes what waits.
    pub(super) fn note_ping(&mut self) {
        let waits = |gate: &Gate| match gate {
            Gate::Shut => false,
            Gate::Held { frames, .. } => !frames.is_empty(),
            Gate::Open { overflow, .. } => !overflow.is_empty(),
        };
        let is_last = matches!((&self.way, self.hands), (Way::Express, Hands::Free))
            && self.queue.is_empty()
            && self.rest.is_none()
            && !self.gates.iter().any(|(_, gate)| waits(gate));
        self.receipt.pinged(is_last);
    }
}
