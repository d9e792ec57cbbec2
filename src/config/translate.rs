//! `[translate]`: streams of other systems that become events.

use serde::{Deserialize, Serialize};
use smart_default::SmartDefault;

use super::numbers::{Count, Seconds};

/// `[translate]`: streams of AG-UI, of Vercel's AI SDK and of LangGraph.
#[derive(Debug, Clone, PartialEq, SmartDefault, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Translate {
    /// Messages, tool calls and agents of each kind that one stream may have open.
    pub max_open: Count<256, 1, 65_536>,
    /// Bytes of the arguments of a stream's tool calls that are joined.
    pub max_joined_bytes: Count<65_536, 0, { 16 << 20 }>,
    /// Threads that are remembered between two bodies.
    pub max_threads: Count<1_000, 1, 10_000>,
    /// Bytes of memory that they hold.
    pub max_thread_bytes: Count<{ 16 << 20 }, 1, { 1 << 30 }>,
    /// Seconds for which a thread is remembered after its last body.
    pub thread_ttl: Seconds<3_600_000, 1>,
}
