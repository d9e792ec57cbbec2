//! The end of a connection that is told why.

use std::time::{Duration, Instant};

use super::Lane;

/// How often it is looked whether the client has everything.
const LOOK: Duration = Duration::from_millis(5);

impl Lane {
    /// Waits until the client has what is queued, at most so long.
    pub async fn drained(&self, most: Duration) {
        let until = Instant::now() + most;
        while self.owes() && self.killed().is_none() && Instant::now() < until {
            tokio::time::sleep(LOOK).await;
        }
    }

    fn owes(&self) -> bool {
        let state = self.lock();
        state.bytes > 0 || state.exempt > 0 || state.in_engine > 0
    }
}
