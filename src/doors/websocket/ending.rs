//! The end of a connection: the close code that the client is told, and the list of sessions' way to end it.

use std::sync::{Arc, OnceLock};

use serde_json::Value;
use tokio::sync::Notify;
use tokio_tungstenite::tungstenite::protocol::{CloseFrame, frame::coding::CloseCode};

use crate::{
    access::authz::{Connection, DisconnectReason},
    channel::Namespace,
    delivery::Outgoing,
    doors::queue::ObserverQueue,
};

/// A connection as the list of sessions ends it.
#[derive(Debug)]
pub(super) struct Ending {
    queue: Arc<ObserverQueue>,
    why: OnceLock<DisconnectReason>,
    /// Wakes a writer that waits for a slow client.
    pub(super) ended: Notify,
}

impl Ending {
    /// The end of a connection that has this queue.
    pub(super) fn new(queue: Arc<ObserverQueue>) -> Arc<Self> {
        Arc::new(Self {
            queue,
            why: OnceLock::new(),
            ended: Notify::new(),
        })
    }

    /// The close frame for a connection whose queue is over: the server's reason, else that it goes down.
    pub(super) fn close(&self) -> CloseFrame {
        let (code, reason) = match self.why.get() {
            Some(why) => (CloseCode::Policy, why.refusal().code),
            None => (CloseCode::Away, "the server is going down; connect again"),
        };
        CloseFrame {
            code,
            reason: reason.into(),
        }
    }

    /// Whether the list of sessions has ended the connection.
    pub(super) fn is_ended(&self) -> bool {
        self.why.get().is_some()
    }
}

impl Connection for Ending {
    fn end(&self, why: DisconnectReason) {
        if self.why.set(why).is_err() {
            return;
        }
        let body = Value::Object(why.refusal().to_event(None)).to_string();
        self.queue
            .end_with(&Outgoing::new(Namespace::Root, "error", body));
        self.ended.notify_one();
    }
}
