//! The events that may be refused to their producers under load.

use super::{
    kind::UpdateKind,
    planned::{Coalescing, Timing},
    table::Table,
};
use crate::{
    channel::Listening,
    event::{Event, Priority},
};

impl Table {
    /// Whether an event may be refused to its producer under load: it is of low priority, and no start, end, failure,
    /// decision, assignment, notice or text, of which none may be lost.
    pub fn is_refusable(&self, event: &Event) -> bool {
        let planned = self.plan(event, Listening::default());
        planned.iter().all(|update| {
            let gives_way = match (&update.kind, &update.timing) {
                (UpdateKind::Generic | UpdateKind::Rule(_), _) => true,
                (_, Timing::Coalesced { how, .. }) => *how != Coalescing::Text,
                _ => false,
            };
            update.priority == Priority::Low && gives_way
        })
    }
}
