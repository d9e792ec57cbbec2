//! The waits between two tries to connect.

use std::time::Duration;

const FIRST: Duration = Duration::from_millis(50);
const MOST: Duration = Duration::from_secs(1);

/// The next wait: each is twice as long, and none is the same on all nodes.
#[derive(Debug)]
pub(super) struct Backoff(Duration);

impl Backoff {
    pub(super) fn new() -> Self {
        Self(FIRST)
    }

    pub(super) fn next(&mut self) -> Duration {
        let wait = self.0;
        self.0 = (self.0 * 2).min(MOST);
        let (_, low) = uuid::Uuid::new_v4().as_u64_pair();
        let share = u32::try_from(low % 256).unwrap_or(0);
        wait / 2 + wait * share / 512
    }

    pub(super) fn reset(&mut self) {
        self.0 = FIRST;
    }
}
