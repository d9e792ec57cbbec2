//! Whether a client surely has everything that it was sent on a namespace: what was written before a ping was received
//! before its answer was sent.

use crate::channel::{Namespace, PerNamespace};

/// The messages that a client was sent, and those that it surely has.
#[derive(Debug, Default)]
pub(super) struct Receipt {
    /// Messages that were queued, or would have been.
    sent: u64,
    /// The number of the last one on each namespace.
    last: PerNamespace<u64>,
    /// The first so many are confirmed.
    confirmed: u64,
    /// The messages that were written before the ping that is unanswered; `Some(None)` if one of them was still queued.
    pinged: Option<Option<u64>>,
}

impl Receipt {
    /// Whether the client surely has every message on a namespace.
    pub(super) fn is_all(&self, namespace: Namespace) -> bool {
        let last = self.last.get(namespace).copied().unwrap_or_default();
        last <= self.confirmed
    }

    /// Notes a message.
    pub(super) fn sent(&mut self, namespace: Namespace) {
        self.sent += 1;
        *self.last.of(namespace) = self.sent;
    }

    /// Notes a ping; `is_last` says that no message waits behind it. A ping that follows an unanswered one changes nothing:
    /// the next answer may be the first one's.
    pub(super) fn pinged(&mut self, is_last: bool) {
        let sent = is_last.then_some(self.sent);
        self.pinged.get_or_insert(sent);
    }

    /// Whether a ping is unanswered.
    pub(super) fn is_pinged(&self) -> bool {
        self.pinged.is_some()
    }

    /// Notes the answer to the oldest unanswered ping.
    pub(super) fn answered(&mut self) {
        if let Some(Some(sent)) = self.pinged.take() {
            self.confirmed = sent;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_was_written_before_an_answered_ping_is_confirmed() {
        let mut receipt = Receipt::default();
        let chat = Namespace::declare("/lane.receipt").expect("a path");
        let (root, others) = (Namespace::Root, [Namespace::Admin, chat]);
        receipt.sent(Namespace::Admin);
        receipt.sent(chat);
        assert!(receipt.is_all(root));
        assert!(!others.iter().any(|one| receipt.is_all(*one)));
        receipt.sent(root);
        receipt.answered();
        assert!(!receipt.is_all(root), "no ping was sent");
        receipt.pinged(true);
        receipt.answered();
        assert!(receipt.is_all(root));
        assert!(others.iter().all(|one| receipt.is_all(*one)));
        receipt.pinged(true);
        receipt.sent(root);
        receipt.pinged(true);
        receipt.answered();
        assert!(!receipt.is_all(root), "it may be the first ping's answer");
        assert!(receipt.is_all(chat), "nothing was sent there since");
        receipt.pinged(false);
        receipt.answered();
        assert!(!receipt.is_all(root), "the message waited behind the ping");
        receipt.pinged(true);
        receipt.answered();
        assert!(receipt.is_all(root));
    }
}
