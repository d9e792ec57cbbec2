//! The number of messages in a second.

use std::{num::NonZeroU32, time::Duration};

use governor::{
    DefaultDirectRateLimiter, Quota, RateLimiter,
    clock::{Clock, DefaultClock},
};

/// Counts messages against their number in a second, if there is one.
#[derive(Debug)]
pub(super) struct Pace(Option<DefaultDirectRateLimiter>);

impl Pace {
    pub(super) fn new(per_second: Option<NonZeroU32>) -> Self {
        Self(per_second.map(|most| RateLimiter::direct(Quota::per_second(most))))
    }

    /// Counts a message; whether there was room for it.
    pub(super) fn has_room(&self) -> bool {
        self.0
            .as_ref()
            .is_none_or(|limiter| limiter.check().is_ok())
    }

    /// Counts a message when there is room for it.
    pub(super) async fn room(&self) {
        while let Some(Err(full)) = self.0.as_ref().map(RateLimiter::check) {
            let wait = full.wait_time_from(DefaultClock::default().now());
            tokio::time::sleep(wait.max(Duration::from_millis(1))).await;
        }
    }
}
