//! Whether a client surely has everything that it was sent on `/`: what was written before a ping was received before its
//! answer was sent.

use std::sync::atomic::Ordering;

use super::{
    super::gate::Gate,
    express::{ExpressLane, Hands, State, Way},
};
use crate::channel::Namespace;

/// The messages on `/` that a client was sent, and those that it surely has.
#[derive(Debug, Default)]
pub(super) struct Receipt {
    /// Messages that were queued, or would have been.
    sent: u64,
    /// The first so many are confirmed.
    confirmed: u64,
    /// The messages that were written before the ping that is unanswered; `Some(None)` if one of them was still queued.
    pinged: Option<Option<u64>>,
}

impl Receipt {
    /// Notes a message.
    pub(super) fn sent(&mut self, namespace: Namespace) {
        self.sent += u64::from(namespace == Namespace::Root);
    }

    /// Notes a ping; `is_last` says that no message waits behind it. A ping that follows an unanswered one changes nothing:
    /// the next answer may be the first one's.
    fn pinged(&mut self, is_last: bool) {
        let sent = is_last.then_some(self.sent);
        self.pinged.get_or_insert(sent);
    }

    /// Notes the answer to the oldest unanswered ping.
    fn answered(&mut self) {
        if let Some(Some(sent)) = self.pinged.take() {
            self.confirmed = sent;
        }
    }
}

impl ExpressLane {
    /// Whether the client surely has every message that it was sent on `/`.
    pub fn has_all(&self) -> bool {
        let receipt = &self.lock().receipt;
        receipt.sent == receipt.confirmed
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_was_written_before_an_answered_ping_is_confirmed() {
        let mut receipt = Receipt::default();
        let all = |receipt: &Receipt| receipt.sent == receipt.confirmed;
        receipt.sent(Namespace::Admin);
        assert!(all(&receipt));
        receipt.sent(Namespace::Root);
        receipt.answered();
        assert!(!all(&receipt), "no ping was sent");
        receipt.pinged(true);
        receipt.answered();
        assert!(all(&receipt));
        receipt.pinged(true);
        receipt.sent(Namespace::Root);
        receipt.pinged(true);
        receipt.answered();
        assert!(!all(&receipt), "it may be the first ping's answer");
        receipt.pinged(false);
        receipt.answered();
        assert!(!all(&receipt), "the message waited behind the ping");
        receipt.pinged(true);
        receipt.answered();
        assert!(all(&receipt));
    }
}
