//! Whether two updates of one key are told apart.

use smallvec::SmallVec;

use super::{Pacer, PendingUpdate, Window};
use crate::{
    event::Object,
    update::{
        Coalescing, UpdateKind, agent_entities, coalesce, joinable::joinable, keeps_items,
        model_calls_full, own_item_entities, planned_entity,
    },
};

impl Pacer {
    /// Whether two updates can't be coalesced: one would not say what both said, or facts of the earlier one would be said
    /// again after another update of the same entity.
    pub(super) fn divides(
        &self,
        earlier: &PendingUpdate,
        later: &PendingUpdate,
        window: &Window,
    ) -> bool {
        let event = &*later.record.event;
        let before = earlier.data.as_ref();
        let before = before.unwrap_or(&earlier.record.event.data);
        // The time of an update is that of its last event.
        let is_older = event.timestamp < earlier.record.event.timestamp;
        match window.how {
            Coalescing::Text => coalesce::changes_role(before, &event.data),
            Coalescing::Changes | Coalescing::Replace => false,
            Coalescing::Sums => earlier.last() <= self.summed_up_to,
            Coalescing::Calls => {
                is_older
                    || model_calls_full(before)
                    || self.is_between(earlier, later, &agent_entities(event))
            }
            Coalescing::Fields | Coalescing::Items => {
                // No page folds the updates that a rule names, so they need not say all that the events did to the state.
                let is_folded = !matches!(later.update.kind, UpdateKind::Rule(_));
                (is_folded && (is_older || !joinable(before, event)))
                    || (window.how == Coalescing::Items && !keeps_items(before, &event.data))
                    || self.is_between(
                        earlier,
                        later,
                        &Self::minding(before, earlier, later, window),
                    )
            }
        }
    }

    /// The entities of which no update may stand between the two. If the later one says all that the earlier one said, these
    /// are few. A form of a plan minds the tasks of its items: one that was told of meanwhile keeps what the form before said
    /// of it. A task minds the plans that have it: they change nothing of a task that was told of before.
    fn minding(
        before: &Object,
        earlier: &PendingUpdate,
        later: &PendingUpdate,
        window: &Window,
    ) -> SmallVec<[u64; 4]> {
        let event = &*later.record.event;
        match window.how {
            _ if !coalesce::later_covers(before, &event.data) => earlier.entities.clone(),
            Coalescing::Items => own_item_entities(event),
            _ => planned_entity(event).into_iter().collect(),
        }
    }

    /// Whether another update of one of these entities is held, and is of an event between the two.
    fn is_between(&self, earlier: &PendingUpdate, later: &PendingUpdate, of: &[u64]) -> bool {
        of.iter().any(|entity| {
            let newest = self.held_by_entity.get(entity).map(|h| h.newest);
            let (newest, second) = newest.unwrap_or_default();
            // The event may have other updates.
            let newest = if newest == later.last() {
                second
            } else {
                newest
            };
            newest > earlier.last()
        })
    }
}
