//! Counters and histograms, in Prometheus' terms. Every dropped or refused thing is counted with its reason.

use std::{
    fmt,
    sync::{Arc, Mutex, PoisonError},
};

use prometheus_client::{
    encoding::{EncodeLabelSet, text::encode},
    metrics::{counter::Counter, family::Family, gauge::Gauge, histogram::Histogram},
    registry::Registry,
};

use crate::event::Priority;

/// The metrics of one server.
pub struct Metrics {
    /// The registry behind `/metrics`.
    pub(super) registry: Mutex<Registry>,
    /// Events that were kept.
    pub(super) events: Counter,
    /// Events that repeat an id with the same content.
    pub(super) duplicates: Counter,
    /// Ids that a producer used for several events.
    pub(super) id_conflicts: Counter,
    /// Calls of producers that waited because too much of them was under way.
    pub(super) producers_waited: Counter,
    /// Times that a producer's next call waited because too many of its calls had no answer yet.
    pub(super) publishes_waited: Counter,
    /// Events that were not taken, and why.
    pub(super) rejected: Family<Code, Counter>,
    /// Events refused for an id that is too long; `rejected` counts them, too.
    pub(super) long_ids: Counter,
    /// Values that were not JSON and had one evident meaning: their producer may need a hint.
    pub(super) mended: Family<What, Counter>,
    /// Requests that were refused, and why.
    pub(super) refused: Family<Code, Counter>,
    /// Requests to join rooms that a limit refused, by the limit.
    pub(super) rooms_refused: Family<Reason, Counter>,
    /// Client events that nobody handles: a sign that a front-end expects another server.
    pub(super) unknown_events: Counter,
    /// Packets that were answered in the engine's place, which would have ended the session.
    pub(super) unreadable: Family<Reason, Counter>,
    pub(super) unpackable: Counter,
    /// Clients that the server cut off, by reason.
    pub(super) killed: Family<Reason, Counter>,
    /// Ends of namespace connections, by reason.
    pub(super) disconnected: Family<Reason, Counter>,
    /// Live connections, by namespace.
    pub(super) connections: Family<On, Gauge>,
    /// Memory of observers' filters, which clients choose.
    pub(super) filter_bytes: Gauge,
    /// Updates sent; one counts once, however many observers get it.
    pub(super) updates: Family<Urgency, Counter>,
    /// Events that went into a later event's update.
    pub(super) coalesced: Counter,
    /// Updates times observers: what fan-out costs.
    pub(super) deliveries: Counter,
    /// Members that the search for an audience looked at; those beyond `deliveries` are its overhead.
    pub(super) looked_at: Counter,
    /// Clients that read too slowly.
    pub(super) parked: Counter,
    /// Bans, by limits or by admins.
    pub(super) banned: Counter,
    /// Acts of admins, by outcome.
    pub(super) admin_acts: Family<Done, Counter>,
    /// Changed files that were read while the server runs, by outcome.
    pub(super) reloaded: Family<Reload, Counter>,
    /// Tokens that were refused, by reason.
    pub(super) tokens_denied: Family<Reason, Counter>,
    /// Things that were sent again, by what they are.
    pub(super) retried: Family<What, Counter>,
    /// Updates that were taken back from parked clients and coalesced.
    pub(super) taken_back: Counter,
    /// Updates sent to clients that came back.
    pub(super) replayed: Counter,
    /// The time for which the hub's loop stood still.
    pub stall: super::stall::Stall,
    /// The raw counts behind the analytics.
    pub usage: super::Usage,
    /// The counters of request bodies.
    pub bodies: super::bodies::BodyMetrics,
    /// The counters of the compression of messages.
    pub compression: Arc<super::compression::CompressionMetrics>,
    /// The counters of the analytics themselves.
    pub(super) analytics: super::analytics::AnalyticsMetrics,
    /// Records read for replays.
    pub(super) replays_read: Counter,
    /// Replays that could not be made.
    pub(super) replays_failed: Counter,
    /// Clients that were sent the state instead of the updates that they missed, by reason.
    pub(super) replays_given_up: Family<Reason, Counter>,
    /// The time from accepted to sent, in buckets around the budgets.
    pub(super) delivery_seconds: Family<Urgency, Histogram, fn() -> Histogram>,
    /// The figures of the sockets.
    pub sockets: super::Sockets,
    /// The live connections.
    pub live: super::Connections,
    /// Kept events by family.
    pub families: super::EventFamilies,
    /// Attempts of clients and producers.
    pub attempts: super::Attempts,
    /// The counters of emissions.
    pub emissions: super::EmissionMetrics,
    /// The counters of streams in other languages.
    pub translations: super::TranslationMetrics,
    /// The work that waits in the hub.
    pub load: super::Load,
    /// Memory and processor time of the process.
    pub(super) process: super::process::ProcessMetrics,
    /// Children by priority, looked up once: the hot path must not search for labels.
    pub(super) by_priority: [(Counter, Histogram); 4],
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct Code {
    /// The door: an attack shows at one of them.
    pub(super) door: &'static str,
    /// A code of the contract, or the name of a limit.
    pub(super) code: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct What {
    /// The kind of oddity.
    pub(super) what: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct Done {
    pub(super) act: &'static str,
    /// `ok`, or the code of the refusal.
    pub(super) code: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct Reload {
    pub(super) files: &'static str,
    /// `taken` or `refused`.
    pub(super) outcome: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct Reason {
    /// A word of a fixed set.
    pub(super) reason: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct On {
    pub(super) namespace: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct Urgency {
    /// Each priority has a budget of its own.
    pub(super) priority: &'static str,
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
    /// Metrics at zero, all registered.
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
            publishes_waited: Counter::default(),
            refused: Family::default(),
            rooms_refused: Family::default(),
            unknown_events: Counter::default(),
            unreadable: Family::default(),
            unpackable: Counter::default(),
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
            retried: Family::default(),
            taken_back: Counter::default(),
            replayed: Counter::default(),
            stall: super::stall::Stall::default(),
            usage: super::Usage::default(),
            analytics: super::analytics::AnalyticsMetrics::default(),
            bodies: super::bodies::BodyMetrics::default(),
            compression: Arc::default(),
            replays_read: Counter::default(),
            replays_failed: Counter::default(),
            replays_given_up: Family::default(),
            delivery_seconds,
            sockets: super::Sockets::default(),
            live: super::Connections::default(),
            families: super::EventFamilies::default(),
            attempts: super::Attempts::default(),
            emissions: super::EmissionMetrics::default(),
            translations: super::TranslationMetrics::default(),
            load: super::Load::default(),
            process: super::process::ProcessMetrics::default(),
            by_priority,
        };
        metrics.add(|registry| metrics.register(registry));
        Arc::new(metrics)
    }

    /// Adds the journal's counters.
    pub fn add_journal(&self, journal: &super::JournalMetrics) {
        self.add(|registry| journal.register(registry));
    }

    /// Adds the counters of a part of the server.
    pub fn add(&self, register: impl FnOnce(&mut Registry)) {
        let mut registry = self.registry.lock().unwrap_or_else(PoisonError::into_inner);
        register(&mut registry);
    }

    /// All metrics, as OpenMetrics text.
    pub fn text(&self) -> String {
        let mut text = String::new();
        self.stall.is_read();
        self.analytics.dropped(self.usage.dropped());
        let registry = self.registry.lock().unwrap_or_else(PoisonError::into_inner);
        // Writing to a string can't fail.
        encode(&mut text, &registry).ok();
        text
    }
}
