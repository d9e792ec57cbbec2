//! The end of a client's connection by the server: with a reason, or so that it connects again.

use std::{
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use futures_util::future::BoxFuture;
use tokio::time::timeout;

use super::client::Client;
use crate::{
    access::authz::{Connection, DisconnectReason},
    doors::socketio::engine::{CloseReason, Frame},
};

/// The time that an ended client has to take the reason.
const LAST_WORD: Duration = Duration::from_secs(1);
/// The time that each step of a move may take: what waits is sent, what came is answered.
const MOVING_TIMEOUT: Duration = Duration::from_secs(5);
/// The time that a client has to say that it has all, before its transport is closed.
const RECEIPT_TIMEOUT: Duration = Duration::from_secs(1);

impl Connection for Client {
    /// Ends the session: the client leaves its rooms at once, and the reason is the last message that it gets.
    fn end(&self, why: DisconnectReason) {
        if self.outlet.end() {
            return;
        }
        self.place().take();
        self.emit("error", why.refusal().to_event(None));
        if !why.may_return() {
            // Clients reconnect by themselves after a lost connection, but not after this packet.
            self.lane.send(&Frame::disconnect(self.namespace));
        }
        self.lane.flush();
        let lane = self.lane.clone();
        let kill = match why {
            DisconnectReason::Expired => CloseReason::Expired,
            DisconnectReason::Revoked => CloseReason::Revoked,
            DisconnectReason::Banned => CloseReason::Banned,
            DisconnectReason::Disconnected => CloseReason::Disconnected,
        };
        tokio::spawn(async move {
            lane.drained(LAST_WORD).await;
            lane.kill(kill);
        });
    }

    fn transport(&self) -> Option<usize> {
        Some(Arc::as_ptr(&self.lane).addr())
    }

    fn make_ready(self: Arc<Self>) -> BoxFuture<'static, ()> {
        Box::pin(async move { self.prepare_to_move().await })
    }

    fn hang_up(&self) -> bool {
        let was_open = self.lane.killed().is_none();
        self.lane.kill(CloseReason::Moved);
        was_open
    }
}

impl Client {
    /// Sends the client all that is due to it, so that its transport can be closed.
    async fn prepare_to_move(&self) {
        // A client that has much to read is served in the meantime.
        self.lane.drained(MOVING_TIMEOUT).await;
        self.is_moving.store(true, Ordering::Release);
        timeout(MOVING_TIMEOUT, self.inbox.idle()).await.ok();
        if let Some(way_back) = &self.way_back {
            self.depart().await;
            if way_back.is_kept {
                // The next node is given it from the journal.
                let kept = self.context.options.recovery.sessions.kept();
                timeout(RECEIPT_TIMEOUT, kept).await.ok();
            }
            return;
        }
        let membership = self.place().take();
        if let Some(membership) = &membership {
            // The hub answers when all that it has queued for the client is in the lane.
            let left = self.context.hub.standing(membership.id(), true);
            left.await.ok();
        }
        self.takes_all().await;
    }

    /// Waits until the client has received everything that is queued for it, or takes too long.
    pub(super) async fn takes_all(&self) {
        self.lane.drained(MOVING_TIMEOUT).await;
        if !self.served.is_by_engine() {
            self.lane.received(self.namespace, RECEIPT_TIMEOUT).await;
        }
    }
}
