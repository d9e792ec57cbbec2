//! Changes of what was told, to be taken back where nobody took the events.

use std::sync::Arc;

use super::{
    agents::ToldAgent,
    runs::ToldRun,
    span::{Span, SpanId, SpanKey, TraceId},
    tasks::ToldTask,
    things::{Handed, Thing},
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
    /// A hand-off to this span, which waited for that parent.
    Handed(SpanKey, SpanId, Handed),
}
