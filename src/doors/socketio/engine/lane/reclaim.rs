//! Takes updates back out of a lane: for the hub, which coalesces them with later ones, and for the writer, when the
//! socket takes nothing.

use std::collections::VecDeque;

use super::{
    super::batch::{Batch, Taken},
    express::{ExpressLane, Hands, State},
};
use crate::{
    channel::Namespace,
    delivery::{Places, QueuedMessage, Reclaimed},
};

impl State {
    /// Takes messages of up to `max` bytes into a batch.
    pub(super) fn fill(&mut self, batch: &mut Batch, max: usize) {
        batch.places.clone_from(self.queue.places());
        self.queue.take(&mut batch.pieces, max);
    }
}

impl ExpressLane {
    /// Takes back a namespace's updates that the client has not begun to receive, if their place in the stream is known
    /// and `keeps` says that they will be sent again. The few packets that are with the engine are left.
    pub fn reclaim(&self, namespace: Namespace, keeps: &dyn Fn(&str) -> bool) -> Option<Reclaimed> {
        let mut state = self.lock();
        let taken = state.queue.reclaim(namespace, keeps)?;
        state.bytes = state.bytes.saturating_sub(taken.bytes);
        Some(taken)
    }

    /// Marks a change of the client's filter or permissions on a namespace: updates queued before it are not taken
    /// back.
    pub fn settle(&self, namespace: Namespace) {
        self.lock().queue.settle(namespace);
    }

    /// Takes up to `max` bytes for the writer into its batch. From here on the writer alone writes to the socket, until it
    /// has nothing left.
    pub(in crate::doors::socketio::engine) fn take(&self, batch: &mut Batch, max: usize) -> Taken {
        let mut state = self.lock();
        if state.hands == Hands::Sender {
            return Taken::Busy;
        }
        if let Some((begun, written)) = state.rest.take() {
            batch.pieces.push_front(begun);
            batch.begun = written;
        }
        state.fill(batch, max);
        if batch.pieces.is_empty() {
            state.hands = Hands::Free;
            return Taken::Nothing;
        }
        state.hands = Hands::Writer;
        Taken::Some
    }

    /// Takes messages back from the writer of which nothing is written; `places` is the client's place without them.
    pub(in crate::doors::socketio::engine) fn put_back(
        &self,
        batch: &mut VecDeque<QueuedMessage>,
        places: &Places,
    ) {
        let mut state = self.lock();
        self.put_back_locked(&mut state, batch, places);
    }

    pub(super) fn put_back_locked(
        &self,
        state: &mut State,
        batch: &mut VecDeque<QueuedMessage>,
        places: &Places,
    ) {
        match self.killed() {
            None => state.queue.put_back(batch, places),
            Some(_) => batch.clear(),
        }
    }
}
