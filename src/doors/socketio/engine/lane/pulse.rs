//! The ping that a client has not answered.

use tokio::time::Instant;

/// An unanswered ping, and whether it could be written.
#[derive(Debug, Default)]
pub(super) struct Pulse {
    /// The time from which its answer is awaited.
    pub(super) since: Option<Instant>,
    /// Whether the kernel takes nothing now, so that the ping may be behind other bytes.
    pub(super) held_up: bool,
}

impl Pulse {
    /// Whether a ping may still be in the queue.
    pub(super) fn waits(&self) -> bool {
        self.held_up && self.since.is_some()
    }

    /// Restarts the time for the answer.
    pub(super) fn restart(&mut self) {
        if self.since.is_some() {
            self.since = Some(Instant::now());
        }
    }
}
