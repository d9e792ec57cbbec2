//! The counts of messages that are compressed and inflated.

use prometheus_client::{
    encoding::EncodeLabelSet,
    metrics::{counter::Counter, family::Family},
    registry::Registry,
};

/// The counters of compression at all doors; a clone shares them.
#[derive(Debug, Clone)]
pub struct CompressionMetrics {
    /// Offers of clients, by what came of them.
    offers: Family<Outcome, Counter>,
    /// Messages that were compressed.
    compressed: Counter,
    /// Messages that would not get smaller.
    incompressible: Counter,
    /// Messages that were written to a client in compressed form.
    deliveries: Counter,
    /// Messages of clients that were inflated.
    inflated: Counter,
    /// The bytes of compressed messages, before and after; looked up once, since each message counts.
    compressed_bytes: Bytes,
    /// The bytes of inflated messages, before and after.
    inflated_bytes: Bytes,
}

/// A count of bytes before and after.
#[derive(Debug, Clone)]
struct Bytes {
    family: Family<When, Counter>,
    before: Counter,
    after: Counter,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Outcome {
    /// `agreed`, or the reason why it was declined.
    outcome: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct When {
    /// `before` or `after`.
    when: &'static str,
}

impl Bytes {
    fn new() -> Self {
        let family = Family::<When, Counter>::default();
        let [before, after] =
            ["before", "after"].map(|when| family.get_or_create(&When { when }).clone());
        Self {
            family,
            before,
            after,
        }
    }

    fn count(&self, before: usize, after: usize) {
        self.before.inc_by(before as u64);
        self.after.inc_by(after as u64);
    }
}

impl Default for CompressionMetrics {
    fn default() -> Self {
        Self {
            offers: Family::default(),
            compressed: Counter::default(),
            incompressible: Counter::default(),
            deliveries: Counter::default(),
            inflated: Counter::default(),
            compressed_bytes: Bytes::new(),
            inflated_bytes: Bytes::new(),
        }
    }
}

impl CompressionMetrics {
    /// Counts a client's offer: `agreed`, or the reason why it was declined.
    pub fn offered(&self, outcome: &'static str) {
        self.offers.get_or_create(&Outcome { outcome }).inc();
    }

    /// Counts a message that was compressed, or that would not get smaller.
    pub fn compressed(&self, before: usize, after: Option<usize>) {
        match after {
            Some(after) => {
                self.compressed.inc();
                self.compressed_bytes.count(before, after);
            }
            None => {
                self.incompressible.inc();
            }
        }
    }

    /// Counts messages that are written to a client in compressed form.
    pub fn delivered(&self, messages: usize) {
        self.deliveries.inc_by(messages as u64);
    }

    /// Counts a client's message that was inflated.
    pub fn inflated(&self, before: usize, after: usize) {
        self.inflated.inc();
        self.inflated_bytes.count(before, after);
    }

    /// Registers all of them.
    pub(crate) fn register(&self, registry: &mut Registry) {
        registry.register(
            "compression_offers",
            "Clients that offered compression of messages, by what came of it",
            self.offers.clone(),
        );
        registry.register(
            "messages_compressed",
            "Messages that were compressed, once each however many clients get them so",
            self.compressed.clone(),
        );
        registry.register(
            "messages_incompressible",
            "Messages that compression would not make smaller, and that are sent as they are",
            self.incompressible.clone(),
        );
        registry.register(
            "compressed_bytes",
            "Bytes of the messages that were compressed, before and after",
            self.compressed_bytes.family.clone(),
        );
        registry.register(
            "deliveries_compressed",
            "Messages written to a client in compressed form",
            self.deliveries.clone(),
        );
        registry.register(
            "messages_inflated",
            "Compressed messages of clients that were inflated",
            self.inflated.clone(),
        );
        registry.register(
            "inflated_bytes",
            "Bytes of the messages that were inflated, before and after",
            self.inflated_bytes.family.clone(),
        );
    }
}
