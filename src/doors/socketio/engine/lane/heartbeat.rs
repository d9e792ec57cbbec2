//! The heartbeat: the lane answers the engine's pings, and keeps the time itself.
//!
//! The engine counts from the moment at which it queued a ping. Behind a long message on a slow link the ping comes
//! late, and the engine would give up a client that takes bytes as fast as it can. So the lane answers the engine at
//! once, in the client's name, and counts from the moment at which the ping could be written, and anew whenever the
//! client took bytes after the kernel's buffer was full. (A client that takes nothing at all is ended by
//! `stall_timeout`.) Anything that the client sends counts as an answer.

use std::sync::atomic::Ordering;

use tokio::time::Instant;

use super::express::ExpressLane;

impl ExpressLane {
    /// Notes a ping of the engine.
    pub(in crate::doors::socketio) fn pinged(&self) {
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

    /// Notes that the client sent something.
    pub(in crate::doors::socketio::engine) fn heard(&self) {
        if self.pinged.load(Ordering::Relaxed) && self.pinged.swap(false, Ordering::AcqRel) {
            self.lock().pulse.since = None;
        }
    }

    /// Notes that the kernel's buffer is full.
    pub(in crate::doors::socketio::engine) fn held_up(&self) {
        self.lock().pulse.held_up = true;
    }

    /// Notes that the client took bytes, so that the kernel has room again.
    pub(in crate::doors::socketio::engine) fn took(&self) {
        let mut state = self.lock();
        state.pulse.held_up = false;
        state.pulse.restart();
    }

    /// Restarts the time when the client's socket is read again, since its answer may lie there.
    pub(super) fn listens_again(&self) {
        self.lock().pulse.restart();
        self.writer.notify_one();
    }

    /// The time at which the client will have been silent for too long.
    pub(in crate::doors::socketio::engine) fn silent_at(&self) -> Option<Instant> {
        if self.reading_paused() {
            return None;
        }
        let state = self.lock();
        let since = state.pulse.since.filter(|_| !state.pulse.held_up)?;
        since.checked_add(self.limits.ping_timeout)
    }
}
