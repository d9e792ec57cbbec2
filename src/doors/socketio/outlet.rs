//! The hub's outlet for a Socket.IO client: its updates take the lane.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use crate::{
    channel::Namespace,
    delivery::{Outgoing, Reclaimed, Updates},
    doors::socketio::engine::ExpressLane,
    hub::Outlet,
};

/// The outlet of one client on one namespace.
#[derive(Debug)]
pub(super) struct LaneOutlet {
    /// The lane, shared by all namespaces of the client.
    lane: Arc<ExpressLane>,
    namespace: Namespace,
    /// Whether events carry their place as a last argument more.
    sends_places: bool,
    /// Whether the session was ended: nothing may follow the reason, even if the hub learns of the end a moment later.
    ended: AtomicBool,
}

impl LaneOutlet {
    pub(super) fn new(
        lane: Arc<ExpressLane>,
        namespace: Namespace,
        sends_places: bool,
    ) -> Arc<Self> {
        Arc::new(Self {
            lane,
            namespace,
            sends_places,
            ended: AtomicBool::new(false),
        })
    }

    /// Ends the session for the hub. Returns whether it was ended before.
    pub(super) fn end(&self) -> bool {
        self.ended.swap(true, Ordering::AcqRel)
    }

    /// Whether the server ended the session.
    pub(super) fn is_ended(&self) -> bool {
        self.ended.load(Ordering::Acquire)
    }
}

impl Outlet for LaneOutlet {
    fn send(&self, update: &Outgoing) -> bool {
        self.is_ended() || self.lane.send_update(update, false, self.sends_places)
    }

    fn send_run(&self, updates: Updates<'_>) -> bool {
        self.is_ended() || self.lane.send_run(updates, self.sends_places)
    }

    fn send_exempt(&self, update: &Outgoing) {
        if !self.is_ended() {
            self.lane.send_update(update, true, self.sends_places);
        }
    }

    fn flush(&self) {
        self.lane.send_soon();
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
