//! Finds the members whose queues have not been empty for too long.
//!
//! A full queue is found when an update is sent to it. But a stream that is a little faster than a client fills the
//! queue in many minutes, and a stream that ends before leaves all of it to be read as it is: coalesced it would be a
//! fraction of that. So the hub checks the queues now and then, as long as something was sent or still waits.

use std::time::{Duration, Instant};

use super::{Hub, member::MemberId};

/// The time between two checks.
const SLOW_CHECK_INTERVAL: Duration = Duration::from_secs(1);
/// Bytes that may always wait: there is little to coalesce in them.
const MIN_SLOW_BYTES: usize = 16 * 1_024;

impl Hub {
    /// Has the queues checked later, because something was sent.
    pub(super) fn look_for_slow_later(&mut self) {
        if self.look_for_slow.is_none() {
            self.look_for_slow = Some(Instant::now() + SLOW_CHECK_INTERVAL);
        }
    }

    /// Parks the members whose queues were too long at every check for too long a time.
    pub(super) fn park_who_is_slow(&mut self, now: Instant) {
        if self.look_for_slow.is_none_or(|at| now < at) {
            return;
        }
        self.look_for_slow = None;
        let (mut slow, mut some_wait) = (Vec::<MemberId>::new(), false);
        for (id, member) in self.roster.members_mut() {
            if member.behind.is_some() || member.outlet.waiting() <= MIN_SLOW_BYTES {
                member.waits_since = None;
                continue;
            }
            some_wait = true;
            let since = *member.waits_since.get_or_insert(now);
            if now.duration_since(since) >= self.options.max_delay {
                member.waits_since = None;
                slow.push(id);
            }
        }
        for id in slow {
            self.park(id);
        }
        if some_wait {
            self.look_for_slow_later();
        }
    }
}
