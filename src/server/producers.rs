//! The options of the doors at which other systems tell of their agents: spans, hooks, streams.

use std::sync::Arc;

use crate::{
    config::{Config, Content},
    doors::http::{HooksOptions, SpansOptions, ThreadLimits, Threads},
    observe::Metrics,
    translate::{
        TranslatorLimits, Words,
        otlp::{MemoryLimits, ReadLimits},
    },
};

/// The settings of the door of spans.
pub(super) fn spans(config: &Config) -> SpansOptions {
    let otlp = &config.otlp;
    SpansOptions {
        read: ReadLimits {
            spans: otlp.max_spans.into(),
            attributes: otlp.max_attributes.into(),
            depth: otlp.max_depth.into(),
            values: otlp.max_values.into(),
            texts: otlp.content != Content::None,
        },
        max_bytes: otlp.max_bytes.into(),
        remembered: otlp.remembered_spans.into(),
        remembered_bytes: otlp.remembered_bytes.into(),
        memory: MemoryLimits {
            wait: otlp.parent_wait.get(),
            waiting_bytes: otlp.max_bytes.into(),
            keep: otlp.remember_for.get(),
            words: Words(otlp.content),
        },
    }
}

/// The settings of the door of hooks.
pub(super) fn hooks(config: &Config) -> HooksOptions {
    HooksOptions {
        answer_within: config.hooks.answer_within.get(),
        max_sessions: config.hooks.max_sessions.into(),
        words: Words(config.otlp.content),
    }
}

/// The streams of other systems that go on in further bodies.
pub(super) fn threads(config: &Config, metrics: &Metrics) -> Arc<Threads> {
    let translate = &config.translate;
    let limits = ThreadLimits {
        threads: translate.max_threads.into(),
        bytes: translate.max_thread_bytes.into(),
        ttl: translate.thread_ttl.get(),
        translator: TranslatorLimits {
            open: translate.max_open.into(),
            joined: translate.max_joined_bytes.into(),
        },
    };
    Threads::new(limits, metrics.translations.clone())
}
