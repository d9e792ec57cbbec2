//! The waits between two tries to reach what is away.

use std::time::Duration;

const FIRST: Duration = Duration::from_millis(50);
const MOST: Duration = Duration::from_secs(1);

/// The next wait: each is up to twice as long, and none is the same on all nodes, so that they don't all come back at once.
#[derive(Debug)]
pub(crate) struct Backoff(Duration);

impl Backoff {
    pub(crate) fn new() -> Self {
        Self(FIRST)
    }

    pub(crate) fn next(&mut self) -> Duration {
        let wait = self.0;
        self.0 = (self.0 * 2).min(MOST);
        let (_, low) = uuid::Uuid::new_v4().as_u64_pair();
        let share = u32::try_from(low % 256).unwrap_or(0);
        wait / 2 + wait * share / 512
    }

    pub(crate) fn reset(&mut self) {
        self.0 = FIRST;
    }
}
