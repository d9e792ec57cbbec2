//! The end of a connection: the close code that the client is told, and the list of sessions' way to end it.

use std::{
    sync::{
        Arc, OnceLock,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use futures_util::future::BoxFuture;
use serde_json::Value;
use tokio::{sync::Notify, time::timeout};
use tokio_tungstenite::tungstenite::protocol::{CloseFrame, frame::coding::CloseCode};

use crate::{
    access::authz::{Connection, DisconnectReason},
    channel::Namespace,
    delivery::Outgoing,
    doors::queue::ObserverQueue,
};

/// The time that a client that is to connect again has to take what waits, and for the answer to what it sent.
pub(super) const MOVING_TIMEOUT: Duration = Duration::from_secs(5);

/// A connection as the list of sessions ends it.
#[derive(Debug)]
pub(super) struct Ending {
    queue: Arc<ObserverQueue>,
    why: OnceLock<DisconnectReason>,
    /// Whether the client is to connect again.
    is_moving: AtomicBool,
    /// Whether its time for that is over.
    is_moved: AtomicBool,
    /// Wakes a writer that waits for a slow client.
    pub(super) ended: Notify,
}

impl Ending {
    /// The end of a connection that has this queue.
    pub(super) fn new(queue: Arc<ObserverQueue>) -> Arc<Self> {
        Arc::new(Self {
            queue,
            why: OnceLock::new(),
            is_moving: AtomicBool::new(false),
            is_moved: AtomicBool::new(false),
            ended: Notify::new(),
        })
    }

    /// The close frame for a connection whose queue is over: the server's reason, else that it goes down.
    pub(super) fn close(&self) -> CloseFrame {
        let (code, reason) = match self.why.get() {
            Some(why) => (CloseCode::Policy, why.refusal().code),
            None if self.is_moving() => (
                CloseCode::Restart,
                "this server sends its clients elsewhere; connect again",
            ),
            None => (CloseCode::Away, "the server is going down; connect again"),
        };
        CloseFrame {
            code,
            reason: reason.into(),
        }
    }

    /// Whether the client is to connect again, when it has what waits.
    pub(super) fn is_moving(&self) -> bool {
        self.is_moving.load(Ordering::Acquire)
    }

    /// Whether the connection is to end now: by the list of sessions, or since the client has not taken what waits in time.
    pub(super) fn is_ended(&self) -> bool {
        self.why.get().is_some() || self.is_moved.load(Ordering::Acquire)
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

    fn make_ready(self: Arc<Self>) -> BoxFuture<'static, ()> {
        Box::pin(async move {
            self.is_moving.store(true, Ordering::Release);
            // The connection ends when that is taken, and the client leaves the hub with it.
            self.queue.finish();
            let is_taken = timeout(MOVING_TIMEOUT, self.queue.taken()).await;
            if is_taken.is_err() {
                self.queue.cut();
            }
        })
    }

    fn hang_up(&self) -> bool {
        let was_open = !self.is_moved.swap(true, Ordering::AcqRel);
        self.ended.notify_one();
        was_open
    }
}
