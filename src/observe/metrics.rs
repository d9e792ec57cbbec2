//! Counters and histograms, in Prometheus' terms. Every dropped or refused thing is counted with its reason.

use std::{
    fmt,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use prometheus_client::{
    encoding::{EncodeLabelSet, text::encode},
    metrics::{counter::Counter, family::Family, gauge::Gauge, histogram::Histogram},
    registry::Registry,
};

use crate::{
    channel::Namespace,
    event::{Priority, lenient::Mended},
};

/// One set for one server.
pub struct Metrics {
    /// Where all of them are found for `/metrics`.
    registry: Mutex<Registry>,
    /// Kept events: what all else is compared with.
    events: Counter,
    /// Producers that repeat themselves.
    duplicates: Counter,
    /// Producers that use an id for several events.
    id_conflicts: Counter,
    /// Calls of producers that had too much under way.
    producers_waited: Counter,
    /// Events that were not taken, and why.
    rejected: Family<Code, Counter>,
    /// Events not taken for an id longer than one may be, which are among those.
    long_ids: Counter,
    /// Values that were no JSON and had one evident meaning: a producer that writes them may be told.
    mended: Family<What, Counter>,
    /// Requests that were refused, and why.
    refused: Family<Code, Counter>,
    /// Client events that nobody handles: a front-end expects another server.
    unknown_events: Counter,
    /// Packets that were answered in the engine's place, which would have ended the session.
    unreadable: Family<Reason, Counter>,
    /// Clients that the server cut off, and why.
    killed: Family<Reason, Counter>,
    /// How namespaces are left.
    disconnected: Family<Reason, Counter>,
    /// Who is here now.
    connections: Family<On, Gauge>,
    /// Clients bring them: what they hold is to be seen.
    filter_bytes: Gauge,
    /// Updates, once each however many get it.
    updates: Family<Urgency, Counter>,
    /// Events that went in a later one's update.
    coalesced: Counter,
    /// Updates times observers: what fan-out costs.
    deliveries: Counter,
    /// Members looked at for that: how many more than get it, is what the search costs.
    looked_at: Counter,
    /// Clients that read too slowly.
    parked: Counter,
    /// Bans, by limits or by admins.
    banned: Counter,
    /// What admins did.
    admin_acts: Family<Done, Counter>,
    /// Files that changed while the server runs.
    reloaded: Family<Reload, Counter>,
    /// Tokens that were not believed, and why.
    tokens_denied: Family<Reason, Counter>,
    /// Updates that were taken back from these and coalesced.
    taken_back: Counter,
    /// Updates sent to those who came back.
    replayed: Counter,
    /// The request bodies' own.
    pub bodies: super::bodies::BodyMetrics,
    /// Records read for replays.
    replays_read: Counter,
    /// Replays that could not be made.
    replays_failed: Counter,
    /// Clients that were given the state instead of what they missed, and why.
    replays_given_up: Family<Reason, Counter>,
    /// Held against the budgets.
    delivery_seconds: Family<Urgency, Histogram, fn() -> Histogram>,
    /// Children looked up once: the hot path must not search for labels.
    by_priority: [(Counter, Histogram); 4],
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Code {
    /// By which door it came: an attack shows at one.
    door: &'static str,
    /// Of the contract, or a limit's name.
    code: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct What {
    /// The kind of oddity.
    what: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Done {
    /// What an admin did.
    act: &'static str,
    /// `ok`, or why not.
    code: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Reload {
    /// Which files.
    files: &'static str,
    /// `taken` or `refused`.
    outcome: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Reason {
    /// A word of a fixed set.
    reason: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct On {
    /// Its path.
    namespace: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Urgency {
    /// Each has a budget of its own.
    priority: &'static str,
}

impl fmt::Debug for Metrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Metrics")
    }
}

/// Bounds in seconds around the budgets of 50, 100 and 500 ms.
fn latency() -> Histogram {
    Histogram::new([
        0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5,
    ])
}

impl Metrics {
    /// A fresh set.
    pub fn new() -> Arc<Self> {
        let updates = Family::<Urgency, Counter>::default();
        let delivery_seconds =
            Family::<Urgency, Histogram, fn() -> Histogram>::new_with_constructor(latency);
        let by_priority = Priority::ALL.map(|p| {
            let label = Urgency {
                priority: p.as_str(),
            };
            (
                updates.get_or_create(&label).clone(),
                delivery_seconds.get_or_create(&label).clone(),
            )
        });
        let metrics = Self {
            registry: Mutex::new(Registry::with_prefix("stoa")),
            events: Counter::default(),
            duplicates: Counter::default(),
            id_conflicts: Counter::default(),
            rejected: Family::default(),
            long_ids: Counter::default(),
            mended: Family::default(),
            producers_waited: Counter::default(),
            refused: Family::default(),
            unknown_events: Counter::default(),
            unreadable: Family::default(),
            killed: Family::default(),
            disconnected: Family::default(),
            connections: Family::default(),
            filter_bytes: Gauge::default(),
            updates,
            coalesced: Counter::default(),
            deliveries: Counter::default(),
            looked_at: Counter::default(),
            parked: Counter::default(),
            banned: Counter::default(),
            admin_acts: Family::default(),
            reloaded: Family::default(),
            tokens_denied: Family::default(),
            taken_back: Counter::default(),
            replayed: Counter::default(),
            bodies: super::bodies::BodyMetrics::default(),
            replays_read: Counter::default(),
            replays_failed: Counter::default(),
            replays_given_up: Family::default(),
            delivery_seconds,
            by_priority,
        };
        metrics.register();
        Arc::new(metrics)
    }

    fn register(&self) {
        let mut registry = self.registry.lock().unwrap_or_else(PoisonError::into_inner);
        let r = &mut *registry;
        self.bodies.register(r);
        r.register("events", "Events kept in the journal", self.events.clone());
        r.register(
            "events_duplicate",
            "Events whose id was there already",
            self.duplicates.clone(),
        );
        r.register(
            "event_id_conflicts",
            "Events kept under another id, since their producer had used theirs for another event",
            self.id_conflicts.clone(),
        );
        r.register(
            "events_rejected",
            "Events not taken, by code",
            self.rejected.clone(),
        );
        r.register(
            "ids_too_long",
            "Events not taken because an id in them is longer than max_id_length",
            self.long_ids.clone(),
        );
        r.register(
            "input_mended",
            "Values that were odd and were read by their one evident meaning, by what was odd",
            self.mended.clone(),
        );
        r.register(
            "producers_waited",
            "Calls that waited until enough of what their producer published before was sent",
            self.producers_waited.clone(),
        );
        r.register(
            "requests_refused",
            "Client requests refused, by code",
            self.refused.clone(),
        );
        r.register(
            "client_events_unknown",
            "Client events nobody handles",
            self.unknown_events.clone(),
        );
        r.register(
            "packets_unreadable",
            "Client packets that could not be read and were answered, by what is wrong with them",
            self.unreadable.clone(),
        );
        r.register(
            "connections_killed",
            "Connections ended by the server, by reason",
            self.killed.clone(),
        );
        r.register(
            "connections_ended",
            "Namespace connections that ended, by reason",
            self.disconnected.clone(),
        );
        r.register(
            "connections",
            "Namespace connections now",
            self.connections.clone(),
        );
        r.register(
            "filter_bytes",
            "Bytes of memory that the observers' filters hold; those who see the same share one",
            self.filter_bytes.clone(),
        );
        r.register(
            "updates",
            "Updates sent (once each, however many observers), by priority",
            self.updates.clone(),
        );
        r.register(
            "events_coalesced",
            "Events coalesced into a later one's update",
            self.coalesced.clone(),
        );
        r.register(
            "deliveries",
            "Updates queued for an observer",
            self.deliveries.clone(),
        );
        r.register(
            "audience_looked_at",
            "Observers looked at to find those who get an update",
            self.looked_at.clone(),
        );
        r.register(
            "observers_parked",
            "Times that an observer read too slowly and was parked",
            self.parked.clone(),
        );
        r.register(
            "tokens_denied",
            "Tokens that were not believed, by reason",
            self.tokens_denied.clone(),
        );
        r.register(
            "clients_banned",
            "Users and addresses kept out for too many messages",
            self.banned.clone(),
        );
        r.register(
            "admin_acts",
            "What admins did or tried to change, by act and outcome",
            self.admin_acts.clone(),
        );
        r.register(
            "files_reloaded",
            "Changed files that were taken, or refused and the last good ones kept",
            self.reloaded.clone(),
        );
        r.register(
            "deliveries_taken_back",
            "Updates that a parked observer had not begun to get, and that it is sent coalesced",
            self.taken_back.clone(),
        );
        r.register(
            "deliveries_replayed",
            "Updates queued for an observer that had missed them",
            self.replayed.clone(),
        );
        r.register(
            "replays_read",
            "Records read from the journal for observers that were behind; those at many places share them",
            self.replays_read.clone(),
        );
        r.register(
            "replays_failed",
            "Times that what was missed could not be read; after three for a client it is sent the state instead",
            self.replays_failed.clone(),
        );
        r.register(
            "replays_given_up",
            "Clients that were sent the state instead of what they missed, and why",
            self.replays_given_up.clone(),
        );
        r.register(
            "delivery_seconds",
            "From an event's acceptance to its update in the observers' queues, by priority",
            self.delivery_seconds.clone(),
        );
    }

    /// Shows what the journal counts, too.
    pub fn add_journal(&self, journal: &super::JournalMetrics) {
        self.add(|registry| journal.register(registry));
    }

    /// Shows what a part of the server counts by itself.
    pub fn add(&self, register: impl FnOnce(&mut Registry)) {
        let mut registry = self.registry.lock().unwrap_or_else(PoisonError::into_inner);
        register(&mut registry);
    }

    /// Events were kept.
    pub fn events(&self, kept: usize, duplicates: usize) {
        self.events.inc_by(kept as u64);
        self.duplicates.inc_by(duplicates as u64);
    }

    /// Ids came again with other content.
    pub fn id_conflicts(&self, count: usize) {
        self.id_conflicts.inc_by(count as u64);
    }

    /// An event was not taken.
    pub fn rejected(&self, door: &'static str, code: &'static str) {
        self.rejected.get_or_create(&Code { door, code }).inc();
    }

    /// An event was not taken because of a long id.
    pub fn id_too_long(&self) {
        self.long_ids.inc();
    }

    /// Values were read by their one evident meaning, though they were no JSON.
    pub fn mended(&self, mended: Mended) {
        for (what, count) in mended.each() {
            self.odd(what, count);
        }
    }

    /// Something odd was read by its one evident meaning, so often.
    pub fn odd(&self, what: &'static str, count: usize) {
        self.mended
            .get_or_create(&What { what })
            .inc_by(count as u64);
    }

    /// A call waits for its producer's own events.
    pub fn producer_waited(&self) {
        self.producers_waited.inc();
    }

    /// A request was refused.
    pub fn refused(&self, door: &'static str, code: &'static str) {
        self.refused.get_or_create(&Code { door, code }).inc();
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

    /// The server ended a connection.
    pub fn killed(&self, reason: &str) {
        let reason = reason.to_owned();
        self.killed.get_or_create(&Reason { reason }).inc();
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

    /// The observers' filters hold so much now.
    pub fn filter_bytes(&self, bytes: usize) {
        let bytes = i64::try_from(bytes).unwrap_or(i64::MAX);
        self.filter_bytes.set(bytes);
    }

    /// A group of updates went out, `coalesced` events in it, so long after the first was accepted.
    pub fn sent(&self, priority: Priority, coalesced: u32, after: Duration) {
        let (count, seconds) = &self.by_priority[priority as usize];
        count.inc();
        seconds.observe(after.as_secs_f64());
        self.coalesced
            .inc_by(u64::from(coalesced.saturating_sub(1)));
    }

    /// An update was queued for so many observers.
    pub fn deliveries(&self, observers: usize) {
        self.deliveries.inc_by(observers as u64);
    }

    /// So many observers were looked at to find those who get an update.
    pub fn looked_at(&self, observers: usize) {
        self.looked_at.inc_by(observers as u64);
    }

    /// An observer was parked because it reads too slowly.
    pub fn parked(&self) {
        self.parked.inc();
    }

    /// A token was not believed.
    pub fn token_denied(&self, reason: &str) {
        let reason = reason.to_owned();
        self.tokens_denied.get_or_create(&Reason { reason }).inc();
    }

    /// Somebody is kept out for too many messages.
    pub fn banned(&self) {
        self.banned.inc();
    }

    /// An admin changed something (`ok`), or was refused it.
    pub fn admin_acted(&self, act: &'static str, code: &'static str) {
        self.admin_acts.get_or_create(&Done { act, code }).inc();
    }

    /// Changed files were `taken`, or `refused`.
    pub fn reloaded(&self, files: &'static str, outcome: &'static str) {
        self.reloaded
            .get_or_create(&Reload { files, outcome })
            .inc();
    }

    /// So many updates were taken back from one that was parked.
    pub fn taken_back(&self, updates: usize) {
        self.taken_back.inc_by(updates as u64);
    }

    /// So many updates were sent again to those who had missed them.
    pub fn replayed(&self, deliveries: u64) {
        self.replayed.inc_by(deliveries);
    }

    /// Records were read from the journal for clients that are behind.
    pub fn replay_read(&self, records: usize) {
        self.replays_read.inc_by(records as u64);
    }

    /// A replay could not be made.
    pub fn replay_failed(&self) {
        self.replays_failed.inc();
    }

    /// A client is sent the state instead of what it missed.
    pub fn replay_given_up(&self, reason: &str) {
        let reason = reason.to_owned();
        self.replays_given_up
            .get_or_create(&Reason { reason })
            .inc();
    }

    /// All of them, as Prometheus text.
    pub fn text(&self) -> String {
        let mut text = String::new();
        let registry = self.registry.lock().unwrap_or_else(PoisonError::into_inner);
        // Writing to a string can't fail.
        encode(&mut text, &registry).ok();
        text
    }
}
