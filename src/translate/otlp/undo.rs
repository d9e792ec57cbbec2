//! Changes of what was told, to be taken back where nobody took the events.

use std::sync::Arc;

use super::{
    agents::ToldAgent,
    runs::ToldRun,
    span::{Span, SpanId, TraceId},
    tasks::ToldTask,
    things::{Thing, Waiter},
};

/// A change of what was told, with what was told before.
#[derive(Debug)]
pub(super) enum Undo {
    Span(TraceId, SpanId),
    Agent(Thing, ToldAgent),
    Task(Thing, ToldTask),
    Run(TraceId, Arc<str>, Option<ToldRun>),
    Project(Arc<str>),
    /// A span that waited, and the parent that it waited for.
    Waited(Box<Span>),
    /// A hand-off that waited for this parent.
    Waiter(TraceId, SpanId, Waiter),
}
