//! The things of which something is to be told at the next settling.

use std::{collections::HashSet, sync::Arc};

use super::{
    span::{SpanKey, TraceId},
    things::Thing,
};

/// Things that changed, or that were told in vain, since the last settling.
#[derive(Debug, Default)]
pub(super) struct Unsettled {
    /// Traces whose end became known, or another one.
    pub(super) traces: HashSet<TraceId>,
    pub(super) agents: HashSet<Thing>,
    pub(super) runs: HashSet<(TraceId, Arc<str>)>,
    /// The span on whose occasion it is told, and its program.
    pub(super) occasion: Option<(SpanKey, Arc<str>)>,
}
