//! `[traces]`.

use serde::{Deserialize, Serialize};
use smart_default::SmartDefault;

use super::numbers::Seconds;

/// `[traces]`: spans of each event's way, for an OpenTelemetry collector.
#[derive(Debug, Clone, PartialEq, SmartDefault, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Traces {
    /// The collector (OTLP over HTTP); empty for none.
    pub otlp_endpoint: String,
    /// The name of the service in the traces.
    #[default = "stoa"]
    pub service_name: String,
    /// The share of traces that is exported, of those that begin here; a caller's own decision counts for its trace.
    #[default = 1.0]
    pub sample_ratio: f64,
    /// Seconds for one export, after which its spans are lost.
    pub export_timeout: Seconds<10_000>,
}
