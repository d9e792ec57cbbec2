//! The spans. Each is made only while traces are exported and its trace is sampled.

use std::sync::atomic::Ordering;

use opentelemetry::trace::TraceContextExt;
use serde_json::Value;
use tracing::Span;
use tracing_opentelemetry::OpenTelemetrySpanExt;

use super::{
    ON, TARGET,
    parent::{KEY, TraceParent, context},
};
use crate::event::{Event, Priority};

/// The span of a call that publishes events, in the trace of its caller.
pub fn publish(door: &'static str, events: usize, caller: Option<&TraceParent>) -> Span {
    if !ON.load(Ordering::Relaxed) {
        return Span::none();
    }
    let events = number(events);
    let span = tracing::trace_span!(target: TARGET, parent: None, "publish", door, events);
    if let Some(context) = caller.and_then(|caller| context(caller.as_str())) {
        span.set_parent(context).ok();
    }
    span
}

/// The span of one event in the call that is under way; and its place in the trace, kept in the event's metadata unless
/// its producer has put one there. Without an export only the caller's is kept.
pub fn accept(event: &mut Event, caller: Option<&TraceParent>) {
    let own = event.metadata.get(KEY).and_then(Value::as_str);
    let own = own.map(str::to_owned);
    let mut place = caller.cloned();
    if ON.load(Ordering::Relaxed) {
        let span = tracing::trace_span!(
            target: TARGET, "accept", event.id = &*event.id, event.r#type = event.name.raw()
        );
        if let Some(context) = own.as_deref().and_then(context) {
            span.set_parent(context).ok();
        }
        place = place.or_else(|| TraceParent::of_span(span.context().span().span_context()));
    }
    if let Some(place) = place.filter(|_| own.is_none()) {
        event.metadata.insert(KEY.into(), place.as_str().into());
    }
}

/// The span of the time until the journal can no longer lose the events of a call.
pub fn append() -> Span {
    tracing::trace_span!(target: TARGET, "append")
}

/// The span of an update from the loop to the last socket: it ends when all that hold it are dropped.
pub fn deliver(
    event: &Event,
    (update, priority): (&str, Priority),
    observers: usize,
    coalesced: u32,
) -> Span {
    if !ON.load(Ordering::Relaxed) {
        return Span::none();
    }
    let parent = event.metadata.get(KEY).and_then(Value::as_str);
    let Some(parent) = parent.and_then(context) else {
        return Span::none();
    };
    if !parent.span().span_context().is_sampled() {
        return Span::none();
    }
    let span = tracing::trace_span!(
        target: TARGET, parent: None, "deliver",
        event.id = &*event.id, update, priority = priority.as_str(),
        observers = number(observers), coalesced = i64::from(coalesced),
    );
    span.set_parent(parent).ok();
    span
}

/// A number as OpenTelemetry has them: an unsigned one would become text.
fn number(count: usize) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}
