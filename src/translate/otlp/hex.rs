//! The ids of traces and spans.

use super::span::{SpanId, SpanKey, TraceId};

/// The id in these bytes; none if it has another length, or is nothing but zeros.
pub(super) fn trace(bytes: &[u8]) -> Option<TraceId> {
    let bytes: [u8; 16] = bytes.try_into().ok()?;
    Some(u128::from_be_bytes(bytes)).filter(|id| *id != 0)
}

/// The same of a span.
pub(super) fn span(bytes: &[u8]) -> Option<SpanId> {
    let bytes: [u8; 8] = bytes.try_into().ok()?;
    Some(u64::from_be_bytes(bytes)).filter(|id| *id != 0)
}

/// The id in this text.
pub(super) fn trace_of(text: &str) -> Option<TraceId> {
    let is_hex = text.len() == 32 && text.bytes().all(|b| b.is_ascii_hexdigit());
    let id = is_hex.then(|| u128::from_str_radix(text, 16).ok())?;
    id.filter(|id| *id != 0)
}

/// The same of a span.
pub(super) fn span_of(text: &str) -> Option<SpanId> {
    let is_hex = text.len() == 16 && text.bytes().all(|b| b.is_ascii_hexdigit());
    let id = is_hex.then(|| u64::from_str_radix(text, 16).ok())?;
    id.filter(|id| *id != 0)
}

/// The text of a trace's id.
pub(super) fn trace_text(id: TraceId) -> String {
    format!("{id:032x}")
}

/// The text of a span, which is one of its trace: other traces may have a span of the same id.
pub(super) fn span_text((trace, id): SpanKey) -> String {
    format!("{trace:032x}-{id:016x}")
}
