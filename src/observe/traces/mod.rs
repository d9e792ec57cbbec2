//! Traces: spans of an event's way from its door to the sockets, sent to an OpenTelemetry collector.
//!
//! ```text
//!  publish (a call)  ─▶ accept (one event)  ─▶ deliver (one update, until the last socket has it)
//!     └ append: until the journal can no longer lose it
//! ```
//!
//! The spans are connected by the event's `traceparent` (W3C Trace Context), which is kept in its metadata: so the
//! delivery belongs to its producer's trace, also after a restart. Without a collector no span is made.

mod exporter;
mod parent;
mod spans;

use std::{
    sync::atomic::{AtomicBool, Ordering},
    time::Duration,
};

use opentelemetry::trace::TracerProvider;
use opentelemetry_otlp::{Protocol, SpanExporter, WithExportConfig};
use opentelemetry_sdk::{
    Resource,
    trace::{Sampler, SdkTracer, SdkTracerProvider},
};
use thiserror::Error;
use tracing::Subscriber;
use tracing_subscriber::{Layer, filter::Targets, registry::LookupSpan};

pub use exporter::register;
pub use parent::TraceParent;
pub use spans::{accept, append, deliver, publish};

use crate::config::Traces;
use exporter::Counted;

/// The target of the spans: logs leave it out, and the exporter takes nothing else.
pub(super) const TARGET: &str = "stoa::span";
/// The path at which a collector takes spans.
const PATH: &str = "/v1/traces";
/// The time that the last spans have to leave when the process ends.
const LAST_EXPORT: Duration = Duration::from_secs(2);

/// Whether spans are made.
static ON: AtomicBool = AtomicBool::new(false);

/// The reason why traces can't be exported.
#[derive(Debug, Error)]
#[error("[traces] otlp_endpoint: {0}")]
pub struct TracesError(String);

/// The export of spans, which ends when this is shut down.
#[derive(Debug)]
pub struct Export {
    provider: SdkTracerProvider,
    tracer: SdkTracer,
}

/// Prepares the export; none without a collector. It must not be called on a thread of the async runtime, since the
/// exporter has a thread of its own.
///
/// # Errors
/// The address of the collector can't be used.
pub fn export(config: &Traces) -> Result<Option<Export>, TracesError> {
    if config.otlp_endpoint.is_empty() {
        return Ok(None);
    }
    let exporter = SpanExporter::builder()
        .with_http()
        .with_protocol(Protocol::HttpBinary)
        .with_endpoint(endpoint(&config.otlp_endpoint)?)
        .with_timeout(config.export_timeout.get())
        .build()
        .map_err(|error| TracesError(error.to_string()))?;
    let sampler = Sampler::ParentBased(Box::new(Sampler::TraceIdRatioBased(config.sample_ratio)));
    let resource = Resource::builder()
        .with_service_name(config.service_name.clone())
        .build();
    let provider = SdkTracerProvider::builder()
        .with_batch_exporter(Counted(exporter))
        .with_sampler(sampler)
        .with_resource(resource)
        .build();
    let tracer = provider.tracer("stoa");
    Ok(Some(Export { provider, tracer }))
}

/// Checks whether [`export`] could use this address.
///
/// # Errors
/// As [`export`].
pub fn check(config: &Traces) -> Result<(), TracesError> {
    if config.otlp_endpoint.is_empty() {
        return Ok(());
    }
    endpoint(&config.otlp_endpoint).map(drop)
}

/// The address that spans are sent to: a collector that is named without a path has the usual one.
fn endpoint(named: &str) -> Result<String, TracesError> {
    let uri: http::Uri = named
        .parse()
        .map_err(|error| TracesError(format!("{named:?} is no address: {error}")))?;
    if !matches!(uri.scheme_str(), Some("http" | "https")) || uri.authority().is_none() {
        return Err(TracesError(format!(
            "{named:?} is no address: name the collector as in http://localhost:4318"
        )));
    }
    match uri.path() {
        "" | "/" => Ok(format!("{}{PATH}", named.trim_end_matches('/'))),
        _ => Ok(named.to_owned()),
    }
}

impl Export {
    /// The layer that exports the spans, once it is part of the process's subscriber.
    pub(super) fn layer<S: Subscriber + for<'s> LookupSpan<'s>>(&self) -> impl Layer<S> + use<S> {
        ON.store(true, Ordering::Relaxed);
        let only = Targets::new().with_target(TARGET, tracing::Level::TRACE);
        tracing_opentelemetry::layer()
            .with_tracer(self.tracer.clone())
            .with_location(false)
            .with_threads(false)
            .with_target(false)
            .with_tracked_inactivity(false)
            .with_filter(only)
    }

    /// Sends the spans that wait, and ends the export.
    pub fn shutdown(self) {
        if let Err(error) = self.provider.shutdown_with_timeout(LAST_EXPORT) {
            tracing::warn!(%error, "the last spans were not exported");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_collector_is_named_with_or_without_the_path() {
        for (named, used) in [
            ("http://localhost:4318", "http://localhost:4318/v1/traces"),
            ("http://localhost:4318/", "http://localhost:4318/v1/traces"),
            (
                "https://c.example/otlp/v1/traces",
                "https://c.example/otlp/v1/traces",
            ),
        ] {
            assert_eq!(endpoint(named).ok().as_deref(), Some(used));
        }
        for wrong in ["localhost:4318", "grpc://localhost:4317", "http://", "a b"] {
            assert!(endpoint(wrong).is_err(), "{wrong}");
        }
    }
}
