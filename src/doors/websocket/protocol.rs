//! The meaning of a door's messages.

use std::borrow::Cow;

use serde::Deserialize;

use super::{context::Context, session::Session};
use crate::{doors::batching::Manner, error::Error};

/// The outcome of a message that was not refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Handled {
    /// It was carried out, with an answer or without one: an attempt that succeeded.
    Done,
    /// It was counted where it was handled: the events of a publish count one by one.
    Counted,
}

/// The meaning of a door's messages.
pub(super) trait Protocol: Send + Sync + 'static {
    /// Handles one message of a client; its answers go through the session. Messages are handled one after the other.
    ///
    /// # Errors
    /// The refusal, which the client is told and which is counted.
    fn receive(
        &self,
        session: &Session,
        text: &str,
    ) -> impl Future<Output = Result<Handled, Error>> + Send;

    /// The manner of its clients' queues.
    fn manner(&self, _context: &Context) -> Manner {
        Manner::default()
    }

    /// Whether a message asks to be in rooms: screens may send several of these as they open.
    fn joins(&self, _text: &str) -> bool {
        false
    }

    /// Whether a message in bytes is read as the text that it is; otherwise it ends the connection.
    const READS_BYTES: bool = false;
}

/// Whether the `type` of a message in JSON is this one.
pub(super) fn is_of_type(text: &str, wanted: &str) -> bool {
    #[derive(Deserialize)]
    struct Typed<'t> {
        #[serde(borrow, rename = "type")]
        kind: Cow<'t, str>,
    }
    text.contains(wanted)
        && serde_json::from_str::<Typed<'_>>(text).is_ok_and(|message| message.kind == wanted)
}
