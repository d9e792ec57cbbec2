//! The lane and the client's own messages: whether the socket is read, and how its packets are screened.

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
    /// Notes that the client has joined a namespace; called before CONNECT is sent.
    pub fn admit(&self) {
        self.joined.store(true, Ordering::Release);
    }

    /// Whether the client has ever joined a namespace.
    pub(in crate::doors::socketio::engine) fn is_joined(&self) -> bool {
        self.joined.load(Ordering::Acquire)
    }

    /// Bounds on the client's frames.
    pub(in crate::doors::socketio::engine) fn incoming(&self) -> Bounds {
        self.limits.incoming
    }

    /// Stops reading from the client, since one of its inboxes is full.
    pub fn inbox_full(&self) {
        self.full_inboxes.fetch_add(1, Ordering::AcqRel);
    }

    /// Notes that a full inbox has room again.
    pub fn inbox_has_room(&self) {
        if self.full_inboxes.fetch_sub(1, Ordering::AcqRel) == 1 {
            self.reader.wake();
            self.listens_again();
        }
    }

    /// Whether the client's socket is not to be read now.
    pub fn reading_paused(&self) -> bool {
        self.full_inboxes.load(Ordering::Acquire) > 0
    }

    /// Reads a message of the client before the engine does, and returns the messages that the engine gets instead.
    ///
    /// # Errors
    /// The connection can't go on.
    pub fn screen(&self, message: Message, speech: Speech) -> Result<Passed, CloseReason> {
        if !speech.is_first_protocol && message.is_text("3") {
            self.ponged();
        }
        self.screen
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .look(message, speech, self)
    }

    /// Takes the query of a namespace's CONNECT, which some clients write into its name.
    pub fn take_query(&self, namespace: Namespace) -> Option<Box<str>> {
        let mut screen = self.screen.lock().unwrap_or_else(PoisonError::into_inner);
        screen.take_query(namespace)
    }
}
