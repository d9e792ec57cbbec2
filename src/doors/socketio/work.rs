//! Handles the events that a client sends, in their order.
//!
//! Calls of `publish` have their order by their places in the journal, which they are given one after the other; the answers
//! are awaited while further calls are placed. Any other event waits until all calls before it are answered.

use std::sync::{Arc, atomic::Ordering};

use serde_json::value::RawValue;

use super::{
    client::Client,
    events::{self, Calls},
    inbox::{Inbound, Work},
};
use crate::hub::Membership;

/// Events that are handled before answers that are there already are sent.
const AT_A_TURN: usize = 32;

impl Client {
    /// Notes that the hub knows the client, so that the service's operations are carried out and its waiting events handled.
    pub(super) async fn introduced(
        self: &Arc<Self>,
        membership: Membership,
        operations: Vec<Box<RawValue>>,
    ) {
        *self.place() = Some(membership);
        if self.gone.load(Ordering::Acquire) || self.is_ended() {
            self.place().take();
        }
        self.is_introduced();
        self.remember().await;
        self.carry_out(operations).await;
        if self.inbox.open() {
            self.clone().work().await;
        }
    }

    /// Takes an event as it arrives.
    pub(super) fn receive(self: &Arc<Self>, inbound: Inbound) {
        if self.is_ended() || self.is_moving.load(Ordering::Acquire) {
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

    pub(super) async fn work(self: Arc<Self>) {
        let mut calls = Calls::new(self.context.intake.limits().unanswered);
        let mut handled = 0;
        loop {
            if calls.is_full() {
                self.context.metrics.publish_waited();
                events::answer_first(&self, &mut calls).await;
            }
            let Some(next) = self.inbox.next(!calls.is_empty()) else {
                if calls.is_empty() {
                    return;
                }
                tokio::select! {
                    biased;
                    () = events::answer_first(&self, &mut calls) => {}
                    () = self.inbox.arrived() => {}
                }
                continue;
            };
            let next = match next {
                Work::Event(next) => next,
                Work::Farewell(reason) => {
                    self.say_farewell(reason).await;
                    continue;
                }
            };
            if next.has_room {
                self.lane.inbox_has_room();
            }
            if !self.is_ended() {
                events::handle(&self, next.inbound, &mut calls).await;
            }
            handled += 1;
            if handled % AT_A_TURN == 0 {
                events::answer_ready(&self, &mut calls);
            }
            // Most handlers wait for nothing: a client that sends without a pause would have a thread for itself.
            tokio::task::coop::consume_budget().await;
        }
    }
}
