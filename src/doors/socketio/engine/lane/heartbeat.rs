//! Whether the client is still there.
//!
//! The engine sends a ping and counts from when it queued it. Behind a long message on a slow link the ping comes late, and
//! a client that takes everything as fast as it can is taken for dead. So the engine is answered at once, in the client's
//! name, and the time is kept here: from when the ping could be written, and anew whenever the client took something after
//! the kernel had no more room. (That it takes nothing at all has a limit of its own, `stall_timeout`.) Whatever the client
//! says is an answer.

use std::sync::atomic::Ordering;

use tokio::time::Instant;

use super::express::ExpressLane;

impl ExpressLane {
    /// The engine pings.
    pub(in crate::doors::socketio::engine) fn pinged(&self) {
        self.lock().pulse.since.get_or_insert_with(Instant::now);
        self.pinged.store(true, Ordering::Release);
        self.owes_pong.store(true, Ordering::Release);
        self.reader.wake();
        self.writer.notify_one();
    }

    /// Whether the engine is to be told that its ping was answered; said once.
    pub(in crate::doors::socketio::engine) fn take_pong(&self) -> bool {
        self.owes_pong.load(Ordering::Relaxed) && self.owes_pong.swap(false, Ordering::AcqRel)
    }

    /// The client said something.
    pub(in crate::doors::socketio::engine) fn heard(&self) {
        if self.pinged.load(Ordering::Relaxed) && self.pinged.swap(false, Ordering::AcqRel) {
            self.lock().pulse.since = None;
        }
    }

    /// The kernel takes nothing more.
    pub(in crate::doors::socketio::engine) fn held_up(&self) {
        self.lock().pulse.held_up = true;
    }

    /// It does again: the client took something.
    pub(in crate::doors::socketio::engine) fn took(&self) {
        let mut state = self.lock();
        state.pulse.held_up = false;
        state.pulse.restart();
    }

    /// The client is read from again: its answer may lie there.
    pub(super) fn listens_again(&self) {
        self.lock().pulse.restart();
        self.writer.notify_one();
    }

    /// The time at which it has been silent for too long, if it goes on being so.
    pub(in crate::doors::socketio::engine) fn silent_at(&self) -> Option<Instant> {
        if self.reading_paused() {
            return None;
        }
        let state = self.lock();
        let since = state.pulse.since.filter(|_| !state.pulse.held_up)?;
        since.checked_add(self.limits.ping_timeout)
    }
}
