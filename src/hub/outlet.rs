//! The outlets: the doors out, as the hub uses them.

use std::fmt;

use crate::delivery::{Outgoing, Reclaimed, Updates};

/// One observer's way out. None of the methods waits.
pub trait Outlet: fmt::Debug + Send + Sync + 'static {
    /// Queues an update; it is on its way after the next [`Outlet::flush`]. False when the observer's queue is full: it
    /// is sent nothing more before it has room.
    fn send(&self, update: &Outgoing) -> bool;
    /// Queues updates in a row, all of them; false when the observer's queue is full then.
    fn send_run(&self, updates: Updates<'_>) -> bool {
        updates.iter().fold(true, |_, update| self.send(update))
    }
    /// Queues a message that may be larger than an observer's queue (a snapshot).
    fn send_exempt(&self, update: &Outgoing);
    /// Sends the messages that were queued.
    fn flush(&self);
    /// Whether the observer has read enough of its queue that more may come.
    fn has_room(&self) -> bool;
    /// The bytes that wait for the observer.
    fn waiting(&self) -> usize;
    /// Takes back the updates that the observer has not begun to get, from the last place on from which the journal can
    /// make them again: `keeps` says whether it can. None when nothing was taken back.
    fn reclaim(&self, keeps: &dyn Fn(&str) -> bool) -> Option<Reclaimed>;
    /// Notes that the observer's permissions or filter change now: messages that were queued before would not come
    /// again as they are, so they must not be taken back.
    fn settle(&self);
}
