//! The lane's part in recovery: it is known whether the client has all that it was sent.

use super::{
    super::gate::Gate,
    express::{ExpressLane, Hands, State, Way},
};
use crate::channel::Namespace;

impl ExpressLane {
    /// Whether the client surely has every message that it was sent on a namespace.
    pub fn has_all(&self, namespace: Namespace) -> bool {
        self.lock().receipt.is_all(namespace)
    }

    /// Whether a ping of the server is unanswered.
    pub(super) fn is_pinged(&self) -> bool {
        self.lock().receipt.is_pinged()
    }

    /// Whether the lane is killed: a message on this namespace that comes now is lost.
    pub(super) fn is_over(&self, namespace: Namespace) -> bool {
        let is_over = self.killed().is_some();
        if is_over {
            self.lock().receipt.sent(namespace);
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
