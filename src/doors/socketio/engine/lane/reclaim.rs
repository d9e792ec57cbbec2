//! Takes updates back out of a lane: for the hub, which coalesces them with later ones, and for the writer, when the
//! socket takes nothing.

use std::collections::VecDeque;

use super::express::ExpressLane;
use crate::{
    channel::Namespace,
    delivery::{Places, QueuedMessage, Reclaimed},
};

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

    /// Takes up to `max` bytes for the writer into `batch`; `false` when there are none.
    pub(in crate::doors::socketio::engine) fn take(
        &self,
        batch: &mut VecDeque<QueuedMessage>,
        max: usize,
    ) -> bool {
        self.lock().queue.take(batch, max);
        !batch.is_empty()
    }

    /// Takes messages back from the writer of which nothing is written; `places` is the client's place without them.
    pub(in crate::doors::socketio::engine) fn put_back(
        &self,
        batch: &mut VecDeque<QueuedMessage>,
        places: &Places,
    ) {
        let mut state = self.lock();
        match self.killed() {
            None => state.queue.put_back(batch, places),
            Some(_) => batch.clear(),
        }
    }
}
