//! `traceparent`: the place of a span in its trace, as W3C Trace Context writes it.

use std::collections::HashMap;

use http::HeaderMap;
use opentelemetry::{
    Context,
    propagation::TextMapPropagator,
    trace::{SpanContext, TraceContextExt},
};
use opentelemetry_sdk::propagation::TraceContextPropagator;

/// The key of a `traceparent` in headers and in an event's metadata.
pub(super) const KEY: &str = "traceparent";
/// The characters of one: a longer text of a later version is not read.
const MAX_LEN: usize = 55;

/// A well-formed `traceparent`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TraceParent(Box<str>);

impl TraceParent {
    /// The context of a request, if it has one that can be read.
    pub fn of_headers(headers: &HeaderMap) -> Option<Self> {
        let text = headers.get(KEY)?.to_str().ok()?.trim();
        context(text).map(|_| Self(text.into()))
    }

    /// The context of a span which is exported.
    pub(super) fn of_span(span: &SpanContext) -> Option<Self> {
        let text = || {
            format!(
                "00-{}-{}-{:02x}",
                span.trace_id(),
                span.span_id(),
                span.trace_flags().to_u8()
            )
        };
        span.is_valid().then(|| Self(text().into()))
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// The context that a `traceparent` names; none if it can't be read.
pub(super) fn context(text: &str) -> Option<Context> {
    if text.len() > MAX_LEN {
        return None;
    }
    let carrier = HashMap::from([(KEY.to_owned(), text.to_owned())]);
    let context = TraceContextPropagator::new().extract_with_context(&Context::new(), &carrier);
    let valid = context.span().span_context().is_valid();
    valid.then_some(context)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_well_formed_one_is_read() {
        let read = |text: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(KEY, text.parse().unwrap());
            TraceParent::of_headers(&headers)
        };
        let good = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
        assert_eq!(read(good).unwrap().as_str(), good);
        for bad in [
            "",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7",
            "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01",
            "00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01",
            &format!("{good}{}", "x".repeat(100)),
        ] {
            assert_eq!(read(bad), None, "{bad}");
        }
    }
}
