//! The writer's chores: the probe while events are refused, the lease, and what one node does for all.

use std::{
    sync::atomic::Ordering,
    time::{Duration, Instant},
};

use super::{
    options::RedisOptions,
    scripts::{Told, TrimBounds},
    writer::{Writer, wait_for_replica},
};
use crate::{journal::queue::Queue, timestamp::Timestamp};

/// The time between two renewals of the lease, and the time after which it is anybody's.
const LEASE_INTERVAL: Duration = Duration::from_secs(3);
const LEASE_MS: u64 = 10_000;

impl Writer {
    /// Does what is due beside appends.
    pub(super) fn chores(&mut self, queue: &Queue) {
        self.chores_at = Instant::now();
        self.trims = false;
        let number = |bytes| i64::try_from(bytes).unwrap_or(i64::MAX);
        let metrics = &self.shared.metrics;
        metrics.tail_bytes.set(number(self.shared.tail.bytes()));
        metrics.queue_bytes.set(number(queue.bytes()));
        if self.shared.refuses().is_some() {
            // Nobody else tries while events are refused.
            let now = Timestamp::now().as_micros() / 1_000;
            let probed = self.call(|connection, scripts, shared| {
                scripts.append(connection, &shared.keys, now, std::iter::empty())?;
                let RedisOptions { acks, timeout, .. } = shared.options;
                wait_for_replica(connection, acks, timeout, &[Told::Kept(0)])
            });
            if let Err((fault, _)) = probed {
                self.ill(&fault.to_string());
                return;
            }
        }
        self.lease();
        if self.shared.leads.load(Ordering::Acquire) {
            self.trim();
        }
    }

    fn lease(&mut self) {
        if self
            .leased_at
            .is_some_and(|at| at.elapsed() < LEASE_INTERVAL)
        {
            return;
        }
        self.leased_at = Some(Instant::now());
        let leads = self.call(|connection, scripts, shared| {
            scripts.lease(connection, &shared.keys, (&shared.options.node, LEASE_MS))
        });
        self.shared
            .leads
            .store(leads.unwrap_or(false), Ordering::Release);
    }

    /// Lets another node take the chores over.
    pub(super) fn give_up_lease(&mut self) {
        if self.shared.leads.swap(false, Ordering::AcqRel) {
            self.command("DEL", |del, keys| {
                del.arg(&keys.lease);
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
            // The state is rebuilt from there.
            ceiling: self.shared.checkpoint.load(Ordering::Acquire),
        };
        let trimmed =
            self.call(|connection, scripts, shared| scripts.trim(connection, &shared.keys, bounds));
        let Ok(trimmed) = trimmed else { return };
        let metrics = &self.shared.metrics;
        metrics.trimmed("count", trimmed.by_count);
        metrics.trimmed("age", trimmed.by_age);
        metrics.trimmed("bytes", trimmed.by_bytes);
        metrics
            .used_bytes
            .set(i64::try_from(trimmed.bytes).unwrap_or(i64::MAX));
        self.shared.first.store(trimmed.first, Ordering::Release);
        self.trims = trimmed.by_count + trimmed.by_age + trimmed.by_bytes > 0;
    }
}
