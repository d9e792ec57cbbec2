//! Spans of OpenTelemetry (OTLP) as events: agents, their tasks, calls of models and tools, hand-offs, runs.
//!
//! ```text
//!  bytes ─▶ protobuf, json ─▶ Span ─▶ meaning (by the table) ─▶ memory ─▶ events
//!                                                                ├ spans: parents, and children that wait for them
//!                                                                └ tasks, agents, runs: known facts beside told ones
//! ```
//!
//! Spans come when they end: children before their parents, in any request. So the order in which they come decides nothing.
//! The memory joins the facts of a thing (a set of attempts, the latest of some times), which is the same in any
//! order; of these follows what should be known of it, and events are made for the difference to what was told. The same spans
//! give the same state, however they were sent. Two facts need more than the span itself: its agent and its task, which an
//! ancestor may name. A span without an agent waits for a parent for a bounded time, and then goes without.
//!
//! The memory is bounded and is not kept over a restart.

mod agents;
mod attributes;
mod budget;
mod calls;
mod forgetting;
mod hex;
mod interrupt;
mod json;
mod meaning;
mod memory;
mod protobuf;
mod rollback;
mod runs;
mod settling;
mod span;
mod table;
mod taking;
mod tasks;
mod telling;
#[cfg(test)]
mod tests;
#[cfg(test)]
mod tests_load;
#[cfg(test)]
mod tests_odd;
mod texts;
mod things;
mod trace;
mod undo;
mod unsettled;
mod waiters;
mod waiting;

pub use budget::{Cut, ReadLimits};
pub use memory::{Memory, MemoryLimits};
pub use span::{Request, Span, Unreadable};
pub use taking::{Outcome, Taking};

/// Reads the body of an `ExportTraceServiceRequest` in protobuf.
///
/// # Errors
/// It is none.
pub fn read_protobuf(body: &[u8], limits: &ReadLimits) -> Result<Request, Unreadable> {
    protobuf::read(body, limits)
}

/// The same in JSON.
///
/// # Errors
/// It is none.
pub fn read_json(body: &[u8], limits: &ReadLimits) -> Result<Request, Unreadable> {
    json::read(body, limits)
}
