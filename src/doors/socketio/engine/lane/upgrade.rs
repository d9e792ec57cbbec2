//! The upgrade of a session that polls, as the lane knows it.

use std::{
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use super::express::ExpressLane;

/// The most streams at a time that want to become the session's: a client needs one, and tries another when that hangs.
const MAX_UPGRADES: usize = 4;
/// The time that a poll waits on after a stream was probed; it doubles each time the client polls again.
const LET_GO: Duration = Duration::from_millis(100);
/// The most times that it doubles.
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
    /// Makes this stream the session's. `false` when another one is already.
    pub fn complete(&self) -> bool {
        !self.0.is_upgraded.swap(true, Ordering::AcqRel)
    }
}

impl ExpressLane {
    /// Begins an upgrade; `None` when the session has a WebSocket already, or too many streams want to become it.
    pub fn begin_upgrade(self: &Arc<Self>) -> Option<Upgrade> {
        let before = self.upgrades.fetch_add(1, Ordering::AcqRel);
        let upgrade = Upgrade(self.clone());
        let may = before < MAX_UPGRADES && !self.is_upgraded.load(Ordering::Acquire);
        may.then_some(upgrade)
    }

    /// Notes that a stream was probed, or has ended.
    pub(in crate::doors::socketio::engine) fn probed(&self, begins: bool) {
        if begins {
            self.released.store(0, Ordering::Release);
            self.probing.fetch_add(1, Ordering::AcqRel);
            self.let_go.notify_waiters();
        } else {
            self.probing.fetch_sub(1, Ordering::AcqRel);
        }
    }

    /// Returns when a poll is to be answered with nothing: before it confirms the upgrade, a client stops polling and
    /// waits for its last poll.
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
