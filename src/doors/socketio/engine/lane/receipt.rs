//! Whether a client surely has everything that it was sent on `/`: what was written before a ping was received before its
//! answer was sent.

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
    /// Whether the client surely has every message.
    pub(super) fn is_all(&self) -> bool {
        self.sent == self.confirmed
    }

    /// Notes a message.
    pub(super) fn sent(&mut self, namespace: Namespace) {
        self.sent += u64::from(namespace == Namespace::Root);
    }

    /// Notes a ping; `is_last` says that no message waits behind it. A ping that follows an unanswered one changes nothing:
    /// the next answer may be the first one's.
    pub(super) fn pinged(&mut self, is_last: bool) {
        let sent = is_last.then_some(self.sent);
        self.pinged.get_or_insert(sent);
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
        receipt.sent(Namespace::Admin);
        assert!(receipt.is_all());
        receipt.sent(Namespace::Root);
        receipt.answered();
        assert!(!receipt.is_all(), "no ping was sent");
        receipt.pinged(true);
        receipt.answered();
        assert!(receipt.is_all());
        receipt.pinged(true);
        receipt.sent(Namespace::Root);
        receipt.pinged(true);
        receipt.answered();
        assert!(!receipt.is_all(), "it may be the first ping's answer");
        receipt.pinged(false);
        receipt.answered();
        assert!(!receipt.is_all(), "the message waited behind the ping");
        receipt.pinged(true);
        receipt.answered();
        assert!(receipt.is_all());
    }
}
