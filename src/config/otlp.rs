//! `[otlp]` and `[hooks]`: agents that are watched without a line of their own code.

use serde::{Deserialize, Serialize};
use smart_default::SmartDefault;

use super::numbers::{Count, Seconds};

/// `[otlp]`: spans of OpenTelemetry, as exporters send them.
#[derive(Debug, Clone, PartialEq, SmartDefault, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Otlp {
    /// The texts that are taken over: prompts, answers, arguments and results of tools; those of `[hooks]` too.
    pub content: Content,
    /// Bytes of one request, as they are after unpacking.
    pub max_bytes: Count<{ 4 << 20 }, 1024, { 1 << 30 }>,
    /// Spans of one request; more are rejected and counted in the answer.
    pub max_spans: Count<10_000, 1, 1_000_000>,
    /// Attributes of one span that are looked at; more are left out.
    pub max_attributes: Count<128, 1, 10_000>,
    /// The deepest nesting of one attribute; a deeper one is left out.
    pub max_depth: Count<32, 1, 100>,
    /// Values in one attribute; one with more is left out.
    pub max_values: Count<4096, 1, { 1 << 20 }>,
    /// Spans that are remembered, so that later ones find their parents; all producers share them.
    pub remembered_spans: Count<50_000, 100, { 1 << 24 }>,
    /// Bytes that these may hold, with their errors and questions.
    pub remembered_bytes: Count<{ 64 << 20 }, { 1 << 16 }, { 1 << 40 }>,
    /// Seconds for which a trace is remembered after its last span.
    pub remember_for: Seconds<600_000>,
    /// Seconds that a span waits for the parent that tells its agent, before it goes without; 0 waits for none.
    pub parent_wait: Seconds<2_000, 0, 60_000>,
}

/// The texts that are taken over from spans and hooks.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Content {
    /// No text.
    None,
    /// The beginning of each.
    #[default]
    Preview,
    /// Each as far as an event can hold it.
    Full,
}

/// `[hooks]`: what Claude Code and programs of the Claude Agent SDK post about themselves.
#[derive(Debug, Clone, PartialEq, SmartDefault, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Hooks {
    /// Seconds after which a hook is answered whatever happens: the agent waits for the answer.
    pub answer_within: Seconds<1_000, 10, 30_000>,
    /// Sessions that are remembered; of more, the one that was silent for longest is forgotten.
    pub max_sessions: Count<1000, 1, 1_000_000>,
}
