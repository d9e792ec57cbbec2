//! The counters of streams that are translated.

use prometheus_client::{
    encoding::EncodeLabelSet,
    metrics::{counter::Counter, family::Family, gauge::Gauge},
    registry::Registry,
};

/// The counters of streams that are translated; a clone shares them.
#[derive(Debug, Clone, Default)]
pub struct TranslationMetrics {
    messages: Family<Message, Counter>,
    forgotten: Family<Why, Counter>,
    threads: Gauge,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Message {
    language: &'static str,
    /// `told`, `kept`, `unknown` or `refused`.
    outcome: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Why {
    reason: &'static str,
}

impl TranslationMetrics {
    /// A message of a stream was read.
    pub fn message(&self, language: &'static str, outcome: &'static str) {
        let label = Message { language, outcome };
        self.messages.get_or_create(&label).inc();
    }

    /// So many things of streams were forgotten.
    pub fn forgotten(&self, reason: &'static str, count: u64) {
        if count > 0 {
            self.forgotten.get_or_create(&Why { reason }).inc_by(count);
        }
    }

    /// So many threads are remembered now.
    pub fn threads(&self, count: usize) {
        self.threads.set(i64::try_from(count).unwrap_or(i64::MAX));
    }

    pub(super) fn register(&self, r: &mut Registry) {
        r.register(
            "translated",
            "Messages of streams in other languages, by language and what became of them",
            self.messages.clone(),
        );
        r.register(
            "translations_forgotten",
            "Things of such streams that were forgotten because a bound was reached, by the bound",
            self.forgotten.clone(),
        );
        r.register(
            "translation_threads",
            "Threads of such streams that are remembered between two bodies",
            self.threads.clone(),
        );
    }
}
