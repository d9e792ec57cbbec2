//! A span as it was read, whatever it was written in.

use std::sync::Arc;

use serde_json::Value;
use thiserror::Error;

use super::{
    attributes::Attributes,
    budget::Cut,
    table::{self, Fact},
};
use crate::timestamp::Timestamp;

pub(super) type TraceId = u128;
pub(super) type SpanId = u64;
/// A span among those of all traces.
pub(super) type SpanKey = (TraceId, SpanId);

/// The reason why a body is no request with spans.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("the body is no ExportTraceServiceRequest: {0}")]
pub struct Unreadable(pub(super) String);

/// A request as it was read.
#[derive(Debug, Default)]
pub struct Request {
    /// The spans, the one that began first before the others.
    pub spans: Vec<Span>,
    /// Spans without an id or with one of another length.
    pub nameless: usize,
    /// Spans with a field that can't be read.
    pub odd: usize,
    /// The fault of the first of those.
    pub fault: Option<String>,
    /// The count of things that the limits left out.
    pub cut: Cut,
}

/// A span that has ended.
#[derive(Debug, Clone, Default)]
pub struct Span {
    pub(super) trace: TraceId,
    pub(super) id: SpanId,
    pub(super) parent: Option<SpanId>,
    pub(super) name: String,
    /// Nanoseconds since 1970.
    pub(super) start: u64,
    pub(super) end: u64,
    pub(super) flags: u32,
    pub(super) failed: bool,
    pub(super) message: String,
    pub(super) attributes: Attributes,
    /// The type and the message of the exception that it recorded last.
    pub(super) exception: Option<(String, String)>,
    /// Another trace that it names in its links.
    pub(super) linked: Option<TraceId>,
    pub(super) resource: Arc<Attributes>,
}

/// The bit of the flags which says that the parent is another process's.
const PARENT_IS_REMOTE: u32 = 0x200;

impl Span {
    pub(super) fn key(&self) -> SpanKey {
        (self.trace, self.id)
    }

    /// Whether its program has no span above it.
    pub(super) fn is_local_root(&self) -> bool {
        self.flags & PARENT_IS_REMOTE != 0
    }

    pub(super) fn ended_at(&self) -> Timestamp {
        moment(self.end)
    }

    pub(super) fn duration_ms(&self) -> Value {
        milliseconds(self.end.saturating_sub(self.start))
    }

    /// The first of these attributes that the span or its program has.
    pub(super) fn value(&self, fact: Fact) -> Option<&Value> {
        table::keys(fact).iter().find_map(|key| {
            let own = self.attributes.get(key);
            let value = own.or_else(|| self.resource.get(key))?;
            (!value.is_null()).then_some(value)
        })
    }

    pub(super) fn text(&self, fact: Fact) -> Option<&str> {
        let text = self.value(fact)?.as_str()?;
        (!text.trim().is_empty()).then_some(text)
    }

    /// About how many bytes it holds.
    pub fn held(&self) -> usize {
        let raised = self.exception.as_ref();
        let raised = raised.map_or(0, |(kind, message)| kind.len() + message.len());
        let own = self.name.len() + self.message.len() + self.attributes.held();
        size_of::<Self>() + own + raised + self.resource.held()
    }
}

/// The moment of so many nanoseconds since 1970.
pub(super) fn moment(nanos: u64) -> Timestamp {
    Timestamp::from_micros(i64::try_from(nanos / 1_000).unwrap_or(0))
}

/// Nanoseconds as milliseconds, without digits that no clock has.
pub(super) fn milliseconds(nanos: u64) -> Value {
    let micros = nanos / 1_000;
    match micros % 1_000 {
        0 => (micros / 1_000).into(),
        _ => (micros as f64 / 1_000.0).into(),
    }
}
