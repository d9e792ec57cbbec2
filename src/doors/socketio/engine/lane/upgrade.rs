//! The upgrade of a session that polls, as far as the session knows of it.

use std::{
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use super::express::ExpressLane;

/// Streams at a time that want to become the session's: a client needs one, and tries another when that hangs.
const MAX_UPGRADES: usize = 4;
/// How long a poll waits on beside a stream that was probed; a client that goes on to poll waits twice as long each time.
const LET_GO: Duration = Duration::from_millis(100);
/// As often as that is doubled.
const DOUBLINGS: usize = 8;

/// A stream that may become the session's.
#[derive(Debug)]
pub struct Upgrade(Arc<ExpressLane>);

impl Drop for Upgrade {
    fn drop(&mut self) {
        self.0.upgrades.fetch_sub(1, Ordering::AcqRel);
    }
}

impl Upgrade {
    /// Makes this stream the session's. `false` when another one is.
    pub fn complete(&self) -> bool {
        !self.0.is_upgraded.swap(true, Ordering::AcqRel)
    }
}

impl ExpressLane {
    /// Begins an upgrade; `None` when the session has a stream already, or too many want to be it.
    pub fn begin_upgrade(self: &Arc<Self>) -> Option<Upgrade> {
        let before = self.upgrades.fetch_add(1, Ordering::AcqRel);
        let upgrade = Upgrade(self.clone());
        let may = before < MAX_UPGRADES && !self.is_upgraded.load(Ordering::Acquire);
        may.then_some(upgrade)
    }

    /// A stream was probed, or is no longer.
    pub(in crate::doors::socketio::engine) fn probed(&self, begins: bool) {
        if begins {
            self.released.store(0, Ordering::Release);
            self.probing.fetch_add(1, Ordering::AcqRel);
            self.let_go.notify_waiters();
        } else {
            self.probing.fetch_sub(1, Ordering::AcqRel);
        }
    }

    /// Returns when a poll is to be answered with nothing: the client stops polling before it says that it goes on with its
    /// stream, and waits for the poll that is under way.
    pub async fn let_go(&self) {
        loop {
            let begun = self.let_go.notified();
            if self.probing.load(Ordering::Acquire) == 0 {
                begun.await;
            }
            let released = self.released.load(Ordering::Acquire).min(DOUBLINGS);
            tokio::time::sleep(LET_GO * (1 << released)).await;
            if self.probing.load(Ordering::Acquire) > 0 {
                self.released.fetch_add(1, Ordering::AcqRel);
                return;
            }
        }
    }
}
