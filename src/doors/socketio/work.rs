//! Handles the events that a client sends, one after the other.

use std::sync::{Arc, atomic::Ordering};

use super::{client::Client, events, inbox::Inbound};
use crate::hub::Membership;

impl Client {
    /// Notes that the hub knows the client, so that its waiting events are handled.
    pub(super) async fn introduced(self: &Arc<Self>, membership: Membership) {
        *self.place() = Some(membership);
        if self.gone.load(Ordering::Acquire) || self.ended.load(Ordering::Acquire) {
            self.place().take();
        }
        if self.inbox.open() {
            self.clone().work().await;
        }
    }

    /// Takes an event as it arrives.
    pub(super) fn receive(self: &Arc<Self>, inbound: Inbound) {
        if self.ended.load(Ordering::Acquire) {
            return;
        }
        let pushed = self.inbox.push(inbound);
        if pushed.full {
            self.lane.inbox_full();
        }
        if pushed.start {
            tokio::spawn(self.clone().work());
        }
    }

    async fn work(self: Arc<Self>) {
        while let Some(next) = self.inbox.next() {
            if next.has_room {
                self.lane.inbox_has_room();
            }
            if !self.ended.load(Ordering::Acquire) {
                events::handle(&self, next.inbound).await;
            }
            // Most handlers wait for nothing: a client that sends without a pause would have a thread for itself.
            tokio::task::coop::consume_budget().await;
        }
    }
}
