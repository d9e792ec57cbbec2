//! The budget of one client's frames of control: pings and pongs, which cost work and are no messages.

use std::time::{Duration, Instant};

const SECOND: Duration = Duration::from_secs(1);

/// The pings and pongs of one client in this second.
#[derive(Debug)]
pub(super) struct ControlFrames {
    /// The most in a second.
    max: u32,
    began: Instant,
    count: u32,
}

impl ControlFrames {
    /// None yet.
    pub(super) fn new(max: u32, now: Instant) -> Self {
        Self {
            max,
            began: now,
            count: 0,
        }
    }

    /// Counts one; whether it is still within the budget.
    pub(super) fn take(&mut self, now: Instant) -> bool {
        if now.duration_since(self.began) >= SECOND {
            (self.began, self.count) = (now, 0);
        }
        self.count += 1;
        self.count <= self.max
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_has_its_number() {
        let now = Instant::now();
        let mut control = ControlFrames::new(3, now);
        let taken = (0..5).filter(|_| control.take(now)).count();
        assert_eq!(taken, 3);
        assert!(control.take(now + SECOND));
    }
}
