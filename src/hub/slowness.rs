//! Finds those for whom something waits too long.
//!
//! A full lane is found when something is sent to it. But a stream that is a little faster than a client fills it in many
//! minutes, and one that ends before leaves all that waits to be read as it is: coalesced it would be a fraction of that.
//! So it is looked now and then, as long as something was sent or still waits.

use std::time::{Duration, Instant};

use super::{Hub, member::MemberId};

/// How often it is looked.
const SLOW_CHECK_INTERVAL: Duration = Duration::from_secs(1);
/// So much may always wait: there is little to coalesce in it.
const MIN_SLOW_BYTES: usize = 16 * 1_024;

impl Hub {
    /// Something was sent: it may come to wait.
    pub(super) fn look_for_slow_later(&mut self) {
        if self.look_for_slow.is_none() {
            self.look_for_slow = Some(Instant::now() + SLOW_CHECK_INTERVAL);
        }
    }

    /// Parks those for whom more than a little has waited at every look for too long.
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
