//! The ping that a client has not answered.

use tokio::time::Instant;

/// The ping that is unanswered, and whether it could be written.
#[derive(Debug, Default)]
pub(super) struct Pulse {
    /// From when the answer to a ping is waited for.
    pub(super) since: Option<Instant>,
    /// The kernel takes nothing now: a ping may be behind what waits.
    pub(super) held_up: bool,
}

impl Pulse {
    /// Whether a ping may still be in the queue.
    pub(super) fn waits(&self) -> bool {
        self.held_up && self.since.is_some()
    }

    /// Its time begins anew.
    pub(super) fn restart(&mut self) {
        if self.since.is_some() {
            self.since = Some(Instant::now());
        }
    }
}
