//! The methods that count: one for each thing that happens.

use std::{collections::BTreeMap, time::Duration};

use super::{
    attempts::Refusal,
    connections::{ConnectionKind, CountedConnection},
    metrics::{Code, Done, Metrics, On, Reason, Reload, What},
    process::ProcessUsage,
};
use crate::{
    channel::Namespace,
    error::Error,
    event::{Priority, lenient::Mended},
};

impl Metrics {
    /// Events were kept.
    pub fn events(&self, kept: usize, duplicates: usize) {
        self.events.inc_by(kept as u64);
        self.duplicates.inc_by(duplicates as u64);
        self.attempts.succeed(kept + duplicates);
    }

    /// Ids came again with other content.
    pub fn id_conflicts(&self, count: usize) {
        self.id_conflicts.inc_by(count as u64);
    }

    /// An event was not taken.
    pub fn rejected(&self, door: &'static str, refusal: &Error) {
        let code = refusal.code;
        self.rejected.get_or_create(&Code { door, code }).inc();
        self.usage.failed();
        self.attempts.refuse(refusal.into());
    }

    /// An event was not taken because of a long id.
    pub fn id_too_long(&self) {
        self.long_ids.inc();
    }

    /// Values were read by their one evident meaning, though they were not JSON.
    pub fn mended(&self, mended: Mended) {
        for (what, count) in mended.each() {
            self.odd(what, count);
        }
    }

    /// A producer's oddity was read by its one evident meaning, so many times.
    pub fn odd(&self, what: &'static str, count: usize) {
        self.mended
            .get_or_create(&What { what })
            .inc_by(count as u64);
    }

    /// A call waits for its producer's own events.
    pub fn producer_waited(&self) {
        self.producers_waited.inc();
    }

    /// A producer's next call waits until an earlier one is answered.
    pub fn publish_waited(&self) {
        self.publishes_waited.inc();
    }

    /// Something was sent again after it failed.
    pub fn retried(&self, what: &'static str) {
        self.retried.get_or_create(&What { what }).inc();
    }

    /// The things that were sent again: actions whose producer left, and updates that clients had missed.
    pub fn retries(&self) -> BTreeMap<&'static str, u64> {
        let what = "agent_action";
        let actions = self.retried.get_or_create(&What { what }).get();
        BTreeMap::from([(what, actions), ("updates", self.replayed.get())])
    }

    /// A request was refused.
    pub fn refused(&self, door: &'static str, refusal: impl Into<Refusal>) {
        let refusal = refusal.into();
        let code = refusal.code;
        self.refused.get_or_create(&Code { door, code }).inc();
        self.attempts.refuse(refusal);
        self.usage.failed();
    }

    /// A client was not let in at a door.
    pub fn turned_away(&self, door: &'static str, refusal: impl Into<Refusal>) {
        self.refused(door, refusal);
        self.usage.turned_away();
    }

    /// A limit on rooms refused a request to join some.
    pub fn room_refused(&self, reason: &'static str) {
        let reason = reason.to_owned();
        self.rooms_refused.get_or_create(&Reason { reason }).inc();
    }

    /// A client sent an event that nobody handles.
    pub fn unknown_event(&self) {
        self.unknown_events.inc();
    }

    /// A client sent a packet that can't be read.
    pub fn unreadable(&self, reason: &'static str) {
        let reason = reason.to_owned();
        self.unreadable.get_or_create(&Reason { reason }).inc();
    }

    /// A message has no msgpack, so a client with that parser does not get it.
    pub fn unpackable(&self) {
        self.unpackable.inc();
    }

    /// The server ended a connection.
    pub fn killed(&self, reason: &str) {
        let reason = reason.to_owned();
        self.killed.get_or_create(&Reason { reason }).inc();
    }

    /// A client was let in; it counts as a connection until the count is dropped.
    pub fn client_begins(&self, kind: ConnectionKind) -> CountedConnection {
        self.attempts.succeed(1);
        self.live.begin(kind)
    }

    /// A namespace connection began.
    pub fn connected(&self, namespace: Namespace) {
        let label = On {
            namespace: namespace.path(),
        };
        self.connections.get_or_create(&label).inc();
    }

    /// A namespace connection ended.
    pub fn disconnected(&self, namespace: Namespace, reason: String) {
        let label = On {
            namespace: namespace.path(),
        };
        self.connections.get_or_create(&label).dec();
        self.disconnected.get_or_create(&Reason { reason }).inc();
    }

    /// The memory that observers' filters hold has changed.
    pub fn filter_bytes(&self, bytes: usize) {
        let bytes = i64::try_from(bytes).unwrap_or(i64::MAX);
        self.filter_bytes.set(bytes);
    }

    /// A group of updates was sent: `coalesced` events in it, so long after the first was accepted.
    pub fn sent(&self, priority: Priority, coalesced: u32, after: Duration) {
        let (count, seconds) = &self.by_priority[priority as usize];
        count.inc();
        seconds.observe(after.as_secs_f64());
        self.coalesced
            .inc_by(u64::from(coalesced.saturating_sub(1)));
    }

    /// The updates that were queued for an observer since the start, each as often as there were observers.
    pub fn delivered(&self) -> u64 {
        self.deliveries.get()
    }

    /// An update was queued for so many observers.
    pub fn deliveries(&self, observers: usize) {
        self.deliveries.inc_by(observers as u64);
    }

    /// So many observers were looked at to find those who get an update.
    pub fn looked_at(&self, observers: usize) {
        self.looked_at.inc_by(observers as u64);
    }

    /// The system's counts of this process were read.
    pub(super) fn process(&self, usage: &ProcessUsage) {
        self.process.set(usage);
    }

    /// An observer was parked because it reads too slowly.
    pub fn parked(&self) {
        self.parked.inc();
        self.usage.failed();
    }

    /// A token was refused.
    pub fn token_denied(&self, reason: &str) {
        let reason = reason.to_owned();
        self.tokens_denied.get_or_create(&Reason { reason }).inc();
    }

    /// A client was banned for too many messages.
    pub fn banned(&self) {
        self.banned.inc();
    }

    /// An admin changed something (`ok`), or was refused.
    pub fn admin_acted(&self, act: &'static str, code: &'static str) {
        self.admin_acts.get_or_create(&Done { act, code }).inc();
    }

    /// Changed files were `taken`, or `refused`.
    pub fn reloaded(&self, files: &'static str, outcome: &'static str) {
        self.reloaded
            .get_or_create(&Reload { files, outcome })
            .inc();
    }

    /// So many updates were taken back from a client that was parked.
    pub fn taken_back(&self, updates: usize) {
        self.taken_back.inc_by(updates as u64);
    }

    /// So many updates were sent again to clients that had missed them.
    pub fn replayed(&self, deliveries: u64) {
        self.replayed.inc_by(deliveries);
    }

    /// Records were read from the journal for clients that are behind.
    pub fn replay_read(&self, records: usize) {
        self.replays_read.inc_by(records as u64);
    }

    /// A replay failed.
    pub fn replay_failed(&self) {
        self.replays_failed.inc();
        self.usage.failed();
    }

    /// A client is sent the state instead of the updates that it missed.
    pub fn replay_given_up(&self, reason: &str) {
        let reason = reason.to_owned();
        self.replays_given_up
            .get_or_create(&Reason { reason })
            .inc();
    }
}
