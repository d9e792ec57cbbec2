//! The doors out, as the hub sees them.

use std::fmt;

use crate::delivery::{Outgoing, Reclaimed};

/// One observer's way out. None of the methods waits.
pub trait Outlet: fmt::Debug + Send + Sync + 'static {
    /// Queues an update; it is on its way after the next [`Outlet::flush`]. False when the observer owes all that it
    /// may now: what comes next is not to be sent before it has room.
    fn send(&self, update: &Outgoing) -> bool;
    /// Queues what may be larger than an observer is usually allowed to owe (a snapshot).
    fn send_exempt(&self, update: &Outgoing);
    /// Lets what was queued go.
    fn flush(&self);
    /// Whether it took enough of what it owed that more may come.
    fn has_room(&self) -> bool;
    /// How many bytes wait for it.
    fn waiting(&self) -> usize;
    /// Takes back the updates that it has not begun to get, as far as a place is known from which they can come again and
    /// `keeps` says that they will. None when nothing was taken back.
    fn reclaim(&self, keeps: &dyn Fn(&str) -> bool) -> Option<Reclaimed>;
    /// What it may see changes now: what was sent before would not come again as it was, and is not to be taken back.
    fn settle(&self);
}
