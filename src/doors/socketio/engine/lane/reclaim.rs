//! Updates that are taken back out of a lane: by the hub, to coalesce them with later ones, and by the writer, when the socket
//! takes nothing.

use std::collections::VecDeque;

use super::express::ExpressLane;
use crate::{
    channel::Namespace,
    delivery::{Places, QueuedMessage, Reclaimed},
};

impl ExpressLane {
    /// Takes back the updates of a namespace that the client has not begun to get, as far as it is known from where they
    /// can come again and `keeps` says that they will. What goes the engine's way is left: that is few packets.
    pub fn reclaim(&self, namespace: Namespace, keeps: &dyn Fn(&str) -> bool) -> Option<Reclaimed> {
        let mut state = self.lock();
        let taken = state.queue.reclaim(namespace, keeps)?;
        state.bytes = state.bytes.saturating_sub(taken.bytes);
        Some(taken)
    }

    /// Marks a change of what the client may see on a namespace: updates queued before it are not taken back.
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

    /// Takes pieces back from the writer of which nothing is written: `places` is what the client has without them.
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
