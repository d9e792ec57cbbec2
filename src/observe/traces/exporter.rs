//! The exporter, with counters of the spans that left and of those that did not.

use std::{sync::LazyLock, time::Duration};

use opentelemetry_sdk::{
    Resource,
    error::OTelSdkResult,
    trace::{SpanData, SpanExporter},
};
use prometheus_client::{
    encoding::EncodeLabelSet,
    metrics::{counter::Counter, family::Family},
    registry::Registry,
};

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Outcome {
    /// `exported`, or `failed`.
    outcome: &'static str,
}

/// The counters, one set for the process as the export is.
static SPANS: LazyLock<Family<Outcome, Counter>> = LazyLock::new(Family::default);

/// Registers the counters.
pub fn register(registry: &mut Registry) {
    registry.register(
        "spans",
        "Spans that the collector took (exported) or did not (failed)",
        SPANS.clone(),
    );
}

/// An exporter that counts.
#[derive(Debug)]
pub(super) struct Counted<E>(pub(super) E);

impl<E: SpanExporter> SpanExporter for Counted<E> {
    async fn export(&self, batch: Vec<SpanData>) -> OTelSdkResult {
        let count = batch.len() as u64;
        let exported = self.0.export(batch).await;
        let outcome = match &exported {
            Ok(()) => "exported",
            Err(error) => {
                tracing::warn!(%error, count, "spans were not exported; is the collector at [traces] otlp_endpoint up?");
                "failed"
            }
        };
        SPANS.get_or_create(&Outcome { outcome }).inc_by(count);
        exported
    }

    fn shutdown_with_timeout(&self, timeout: Duration) -> OTelSdkResult {
        self.0.shutdown_with_timeout(timeout)
    }

    fn force_flush(&self) -> OTelSdkResult {
        self.0.force_flush()
    }

    fn set_resource(&mut self, resource: &Resource) {
        self.0.set_resource(resource);
    }
}
