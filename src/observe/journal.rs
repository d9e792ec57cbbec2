//! The counters of a journal. The journal makes them, and they are registered when the server starts.

use prometheus_client::{
    encoding::EncodeLabelSet,
    metrics::{counter::Counter, family::Family, gauge::Gauge},
    registry::Registry,
};

/// The counters of one journal; a clone shares them.
#[derive(Debug, Clone, Default)]
pub struct JournalMetrics {
    /// Events that can't be read.
    pub damaged: Counter,
    /// Events that were trimmed, by reason.
    trimmed: Family<Trimmed, Counter>,
    /// Times that the file was found deleted or replaced.
    pub file_lost: Counter,
    /// Times that age was not trimmed because the clock had jumped.
    pub clock_jumps: Counter,
    /// Appends that were refused because too many bytes waited to be written.
    pub overloaded: Counter,
    /// Appends whose caller had gone, so that they were not written.
    pub given_up: Counter,
    /// Transactions in which events were written, each with all that waited.
    pub transactions: Counter,
    /// Events that the engine lost and that were put back.
    pub healed: Counter,
    /// Events that the engine lost and that are gone.
    pub lost: Counter,
    /// Acknowledged events for which there was no room until they are read.
    pub unheld: Counter,
    /// Events that were put back, and whose former places could not be written down.
    pub unmapped: Counter,
    /// Whether the engine takes events and is read; none of a journal without one.
    engine_up: Option<Gauge>,
    /// Bytes that the newest events hold.
    pub tail_bytes: Gauge,
    /// Bytes that wait to be written.
    pub queue_bytes: Gauge,
    /// Bytes that all kept events take, in the file or in memory.
    pub used_bytes: Gauge,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Trimmed {
    /// `count`, `age` or `bytes`.
    reason: &'static str,
}

impl JournalMetrics {
    /// The counters of a journal that an engine keeps; the gauge says whether that takes events and is read.
    pub fn of_engine(engine_up: Gauge) -> Self {
        Self {
            engine_up: Some(engine_up),
            ..Self::default()
        }
    }

    /// Counts events that were trimmed.
    pub fn trimmed(&self, reason: &'static str, events: u64) {
        if events > 0 {
            let label = Trimmed { reason };
            self.trimmed.get_or_create(&label).inc_by(events);
        }
    }

    pub(super) fn register(&self, registry: &mut Registry) {
        for reason in ["count", "age", "bytes"] {
            // All three labels exist from the start, so that an increase can be seen.
            drop(self.trimmed.get_or_create(&Trimmed { reason }));
        }
        registry.register(
            "journal_damaged",
            "Events in the journal that can't be read and are passed over",
            self.damaged.clone(),
        );
        registry.register(
            "events_trimmed",
            "Events that the journal let go of, by the bound that they were over",
            self.trimmed.clone(),
        );
        registry.register(
            "journal_file_lost",
            "Times that the journal's file was found deleted, replaced or cut",
            self.file_lost.clone(),
        );
        registry.register(
            "journal_clock_jumps",
            "Times that the clock jumped, so that events were not let go of by age",
            self.clock_jumps.clone(),
        );
        registry.register(
            "journal_overloaded",
            "Appends refused because too much waited to be written ([journal] queue_bytes)",
            self.overloaded.clone(),
        );
        registry.register(
            "journal_given_up",
            "Appends that were not written because nobody waited for them any longer",
            self.given_up.clone(),
        );
        registry.register(
            "journal_transactions",
            "Transactions in which events were written, each with all that waited",
            self.transactions.clone(),
        );
        registry.register(
            "journal_unheld",
            "Acknowledged events that this node had no room to hold until it had read them ([journal] tail_bytes): it could not put them back",
            self.unheld.clone(),
        );
        registry.register(
            "journal_unmapped",
            "Events that were put back and whose former places were too many to be written down: clients with cursors there are given the state",
            self.unmapped.clone(),
        );
        registry.register(
            "journal_healed",
            "Events that the journal's engine lost and that this node put back",
            self.healed.clone(),
        );
        registry.register(
            "journal_lost",
            "Events that this node had read, that the journal's engine lost, and that this node could not put back",
            self.lost.clone(),
        );
        if let Some(engine_up) = &self.engine_up {
            registry.register(
                "journal_engine_up",
                "Whether the journal's engine takes events and is read (1) or not (0)",
                engine_up.clone(),
            );
        }
        registry.register(
            "journal_tail_bytes",
            "Bytes that the newest events hold in memory",
            self.tail_bytes.clone(),
        );
        registry.register(
            "journal_queue_bytes",
            "Bytes that wait to be written",
            self.queue_bytes.clone(),
        );
        registry.register(
            "journal_used_bytes",
            "Bytes that all kept events take, in the file or in memory",
            self.used_bytes.clone(),
        );
    }
}
