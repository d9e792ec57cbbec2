//! The counters of alerts and of their webhook.

use prometheus_client::{
    encoding::EncodeLabelSet,
    metrics::{counter::Counter, family::Family, gauge::Gauge},
    registry::Registry,
};

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Said {
    code: &'static str,
    /// `firing` or `resolved`.
    status: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Reason {
    reason: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Outcome {
    outcome: &'static str,
}

/// The counters; a clone counts the same.
#[derive(Debug, Clone, Default)]
pub struct AlertMetrics {
    told: Family<Said, Counter>,
    active: Gauge,
    dropped: Family<Reason, Counter>,
    posts: Family<Outcome, Counter>,
    undelivered: Family<Reason, Counter>,
    waiting: Gauge,
}

impl AlertMetrics {
    /// Registers the counters.
    pub fn register(&self, r: &mut Registry) {
        r.register(
            "alerts",
            "Alerts that were told, again each time that they were repeated, by code and whether they hold (firing) or are over (resolved)",
            self.told.clone(),
        );
        r.register("alerts_active", "Alerts that hold now", self.active.clone());
        r.register(
            "alerts_dropped",
            "Alerts about runs that were not told (too_many of a project in a minute, too_many_of_producer), or whose end will not be (forgotten)",
            self.dropped.clone(),
        );
        r.register(
            "webhook_posts",
            "Tries to post an alert to the webhook, by outcome (ok, failed)",
            self.posts.clone(),
        );
        r.register(
            "webhook_dropped",
            "Alerts that the webhook never got, by reason (queue_full, share_full, given_up, refused, stopped)",
            self.undelivered.clone(),
        );
        r.register(
            "webhook_waiting",
            "Alerts that wait to be posted",
            self.waiting.clone(),
        );
    }

    pub(super) fn told(&self, code: &'static str, status: &'static str) {
        self.told.get_or_create(&Said { code, status }).inc();
    }

    pub(super) fn hold(&self, count: usize) {
        self.active.set(i64::try_from(count).unwrap_or(i64::MAX));
    }

    pub(super) fn dropped(&self, reason: &'static str) {
        self.dropped.get_or_create(&Reason { reason }).inc();
    }

    #[cfg(test)]
    pub(super) fn count_dropped(&self, reason: &'static str) -> u64 {
        self.dropped.get_or_create(&Reason { reason }).get()
    }

    pub(super) fn posted(&self, outcome: &'static str) {
        self.posts.get_or_create(&Outcome { outcome }).inc();
    }

    pub(super) fn undelivered(&self, reason: &'static str) {
        self.undelivered.get_or_create(&Reason { reason }).inc();
    }

    /// Counts the posts that a stop leaves.
    pub(super) fn stopped(&self) -> u64 {
        let left = u64::try_from(self.waiting.set(0)).unwrap_or_default();
        let reason = "stopped";
        self.undelivered
            .get_or_create(&Reason { reason })
            .inc_by(left);
        left
    }

    pub(super) fn wait(&self, more: i64) {
        self.waiting.inc_by(more);
    }
}
