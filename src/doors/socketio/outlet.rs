//! Updates take a client's lane.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use crate::{
    channel::Namespace,
    delivery::{Outgoing, Reclaimed},
    doors::socketio::engine::ExpressLane,
    hub::Outlet,
};

/// Socket.IO updates take the lane.
#[derive(Debug)]
pub(super) struct LaneOutlet {
    /// The way to the client, shared by all its namespaces.
    pub(super) lane: Arc<ExpressLane>,
    /// On which of them this one is.
    pub(super) namespace: Namespace,
    /// The session was ended: nothing comes behind the reason, though the hub may learn of it a moment later.
    pub(super) ended: Arc<AtomicBool>,
}

impl Outlet for LaneOutlet {
    fn send(&self, update: &Outgoing) -> bool {
        self.ended.load(Ordering::Acquire) || self.lane.send_update(update, false)
    }

    fn send_exempt(&self, update: &Outgoing) {
        if !self.ended.load(Ordering::Acquire) {
            self.lane.send_update(update, true);
        }
    }

    fn flush(&self) {
        self.lane.flush();
    }

    fn has_room(&self) -> bool {
        self.lane.has_room()
    }

    fn waiting(&self) -> usize {
        self.lane.waiting()
    }

    fn reclaim(&self, keeps: &dyn Fn(&str) -> bool) -> Option<Reclaimed> {
        self.lane.reclaim(self.namespace, keeps)
    }

    fn settle(&self) {
        self.lane.settle(self.namespace);
    }
}
