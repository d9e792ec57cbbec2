//! Things of projects, and what waits for spans around it.

use std::sync::Arc;

use super::span::SpanId;

/// A thing of a project.
pub(super) type Thing = (Arc<str>, Arc<str>);

/// Something that waits for a span to become known.
#[derive(Debug, Clone)]
pub(super) enum Waiter {
    /// A span without an agent.
    Span(SpanId),
    /// The work of an agent, which somebody may have given it.
    Handed(Handed),
}

/// The work of an agent.
#[derive(Debug, Clone)]
pub(super) struct Handed {
    pub(super) span: SpanId,
    pub(super) start: u64,
    pub(super) project: Arc<str>,
    pub(super) source: Arc<str>,
    pub(super) agent: Arc<str>,
    pub(super) task: Option<Arc<str>>,
}
