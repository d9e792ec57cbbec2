//! What the lane knows about the other direction: what may be read from the client, and whether anything may.

use std::sync::{PoisonError, atomic::Ordering};

use super::{
    super::{
        close_reason::CloseReason,
        incoming::Bounds,
        message::Message,
        screen::{Passed, Speech},
    },
    express::ExpressLane,
};
use crate::channel::Namespace;

impl ExpressLane {
    /// The client is let onto a namespace: called before CONNECT is sent.
    pub fn admit(&self) {
        self.joined.store(true, Ordering::Release);
    }

    /// Whether it was ever let onto one.
    pub(in crate::doors::socketio::engine) fn is_joined(&self) -> bool {
        self.joined.load(Ordering::Acquire)
    }

    /// Bounds on what the client may send.
    pub(in crate::doors::socketio::engine) fn incoming(&self) -> Bounds {
        self.limits.incoming
    }

    /// An inbox of the client is full: stop reading from it.
    pub fn inbox_full(&self) {
        self.full_inboxes.fetch_add(1, Ordering::AcqRel);
    }

    /// An inbox that was full has room again.
    pub fn inbox_has_room(&self) {
        if self.full_inboxes.fetch_sub(1, Ordering::AcqRel) == 1 {
            self.reader.wake();
            self.listens_again();
        }
    }

    /// Whether nothing is to be read from the client now.
    pub fn reading_paused(&self) -> bool {
        self.full_inboxes.load(Ordering::Acquire) > 0
    }

    /// Reads a message of the client before the engine does; what that is to read instead.
    ///
    /// # Errors
    /// The connection can't go on.
    pub fn screen(&self, message: Message, speech: Speech) -> Result<Passed, CloseReason> {
        self.screen
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .look(message, speech, self)
    }

    /// The query of a namespace's CONNECT, where a client writes one into its name.
    pub fn query(&self, namespace: Namespace) -> Option<Box<str>> {
        let screen = self.screen.lock().unwrap_or_else(PoisonError::into_inner);
        screen.query(namespace)
    }
}
