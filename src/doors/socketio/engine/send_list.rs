//! A list of lanes that have something to be written to their sockets.

use std::{
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use crate::observe::Sockets;

/// Lanes that wait for their sender.
pub struct SendList<Lane> {
    /// Never held across an await.
    waiting: Mutex<Waiting<Lane>>,
    /// Counts what is written.
    pub(super) sockets: Sockets,
}

/// The part of a list that changes.
pub(super) struct Waiting<Lane> {
    pub(super) lanes: Vec<Arc<Lane>>,
    /// Whether a task goes through them.
    pub(super) is_served: bool,
}

impl<Lane> SendList<Lane> {
    /// An empty list.
    pub fn new(sockets: &Sockets) -> Arc<Self> {
        Arc::new(Self {
            waiting: Mutex::new(Waiting {
                lanes: Vec::new(),
                is_served: false,
            }),
            sockets: sockets.clone(),
        })
    }

    /// Adds a lane that has something to be written. Returns whether a task must begin to go through the list.
    pub(super) fn add(&self, lane: Arc<Lane>) -> bool {
        let mut waiting = self.lock();
        waiting.lanes.push(lane);
        !std::mem::replace(&mut waiting.is_served, true)
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, Waiting<Lane>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<Lane> fmt::Debug for SendList<Lane> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SendList")
    }
}
