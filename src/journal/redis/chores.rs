//! The writer's chores: the probe while events are refused, the lease, and what one node does for all.

use std::{
    sync::atomic::Ordering,
    time::{Duration, Instant},
};

use super::{
    scripts::TrimBounds,
    writer::{Writer, wait_for_replica, write_something},
};
use crate::{journal::queue::Queue, timestamp::Timestamp};

/// The time between two renewals of the lease, and the time after which it is anybody's.
const LEASE_INTERVAL: Duration = Duration::from_secs(3);
const LEASE_MS: u64 = 10_000;
/// The time for which the node itself counts on its lease: less than the engine, whose clock may go faster.
const LEASE_LENGTH: Duration = Duration::from_millis(LEASE_MS * 9 / 10);

impl Writer {
    /// Does what is due beside appends.
    pub(super) fn chores(&mut self, queue: &Queue) {
        self.do_chores(queue);
        // From the end on: what waits is refused before an engine that says nothing is tried again.
        self.chores_at = Instant::now();
    }

    fn do_chores(&mut self, queue: &Queue) {
        self.trims = false;
        let number = |bytes| i64::try_from(bytes).unwrap_or(i64::MAX);
        let metrics = &self.shared.metrics;
        let held = [
            self.shared.timelines.shown().tail.bytes(),
            self.shared.newest_bytes.load(Ordering::Relaxed),
            self.shared.own.bytes(),
        ];
        metrics.tail_bytes.set(number(held.iter().sum()));
        metrics.queue_bytes.set(number(queue.bytes()));
        if self.shared.refuses().is_some() {
            // Nobody else tries while events are refused.
            let now = Timestamp::now().as_micros() / 1_000;
            let probed = self.call(|connection, scripts, shared| {
                scripts.begin(connection, &shared.keys, now)?;
                // A full engine still begins a generation that is there already.
                write_something(connection, &shared.keys)?;
                wait_for_replica(connection, &shared.keys, &shared.options, true)
            });
            match probed {
                Ok(()) => self.well(),
                Err((fault, _)) => {
                    self.ill(&fault.to_string());
                    if !fault.is_answer() {
                        return;
                    }
                    // A full engine takes nothing, and still lets go of what is too old.
                }
            }
        }
        self.lease();
        if self.shared.leads() {
            self.trim();
            self.sweep_sessions();
        }
    }

    pub(super) fn lease(&mut self) {
        if self
            .leased_at
            .is_some_and(|at| at.elapsed() < LEASE_INTERVAL)
        {
            return;
        }
        let now = Instant::now();
        self.leased_at = Some(now);
        let leads = self.call(|connection, scripts, shared| {
            scripts.lease(connection, &shared.keys, (&shared.holder, LEASE_MS))
        });
        // One that can't be renewed is kept until its end.
        if let Ok(leads) = leads {
            let lease = leads.then_some((now, LEASE_LENGTH));
            self.shared.leads_until(lease);
        }
    }

    /// Lets another node take the chores over.
    pub(super) fn give_up_lease(&mut self) {
        if self.shared.leads() {
            self.shared.leads_until(None);
            self.call(|connection, scripts, shared| {
                scripts.leave(connection, &shared.keys, &shared.holder)
            })
            .ok();
        }
    }

    /// Lets go of some of the oldest events.
    fn trim(&mut self) {
        let retention = self.shared.options.retention;
        let age = i64::try_from(retention.max_age.as_millis()).unwrap_or(i64::MAX);
        let bounds = TrimBounds {
            max_events: retention.max_events,
            oldest_ms: (Timestamp::now().as_micros() / 1_000).saturating_sub(age),
            max_bytes: retention.max_bytes,
        };
        let trimmed = self.call(|connection, scripts, shared| {
            scripts.trim(connection, &shared.keys, (&shared.holder, bounds))
        });
        let Ok(trimmed) = trimmed else { return };
        let metrics = &self.shared.metrics;
        metrics.trimmed("count", trimmed.by_count);
        metrics.trimmed("age", trimmed.by_age);
        metrics.trimmed("bytes", trimmed.by_bytes);
        metrics
            .used_bytes
            .set(i64::try_from(trimmed.bytes).unwrap_or(i64::MAX));
        self.shared.timelines.set_first(trimmed.first);
        self.trims = trimmed.by_count + trimmed.by_age + trimmed.by_bytes > 0;
    }

    /// Lets go of some sessions that nobody has written for long.
    fn sweep_sessions(&mut self) {
        if !self.sweep.is_due() {
            return;
        }
        let mut sweep = std::mem::take(&mut self.sweep);
        // A failure is found out by whatever is done next; the next look begins anew.
        let _ = self.call(|connection, _, shared| {
            sweep.go_on(connection, &shared.keys, shared.options.sessions_age)
        });
        self.sweep = sweep;
    }
}
