//! The last step of members to the present: the loop itself makes a segment from records in memory. The stream stands
//! still meanwhile, so a member is live with it: no gap and no double.

use std::sync::Arc;

use super::{
    CatchUpTurn, Effect, LOOK_COST_BYTES, STEP_ENDS, coalesce::SegmentBuilder, credit::Held, replay,
};
use crate::{
    channel::Listening,
    delivery::{Cursor, missed::reach},
    journal::{Record, Seq},
};

/// A client about to go live is sent the remaining bytes at once if they fit into this limit or its credit.
const GO_LIVE_BYTES: usize = 16 * 1_024;

impl CatchUpTurn<'_> {
    /// Brings the members at `at` to the present, or at least closer.
    pub(super) fn last_segment(
        &mut self,
        at: &Cursor,
        to: &Cursor,
        records: &[Arc<Record>],
        topics: Option<Listening>,
        budget: &mut usize,
    ) {
        let cohort = self.take_cohort(at, topics);
        let (viewers, whose) = self.viewers(&cohort);
        let max_bytes = self.catchup.max_segment;
        let mut builder = SegmentBuilder::new(
            self.stream.table().clone(),
            viewers,
            at.clone(),
            to,
            topics.unwrap_or_default(),
            max_bytes,
        );
        builder.take(records);
        let segment = replay::write(
            builder.finish(),
            self.stream.table().grouping(),
            max_bytes,
            self.catchup.sanitize,
        );
        let segment = Arc::new(segment);
        let whole = segment.end == reach(at, to, Seq::MAX);
        for (id, viewer) in cohort.into_iter().zip(whose) {
            let behind = self.roster.get_mut(id).and_then(|m| m.behind.as_mut());
            let (Some(behind), Some(viewer)) = (behind, viewer) else {
                self.queue_up(id);
                continue;
            };
            let most = behind.credit.bytes().max(GO_LIVE_BYTES);
            behind.hold(Held::new(segment.clone(), viewer));
            // The others are handed the same segment in later steps, and have less before them then.
            let may_end = *budget > 0 && self.ended < STEP_ENDS;
            if whole && may_end && segment.weight(viewer, most) <= most {
                behind.credit.unbound();
                *budget = budget.saturating_sub(self.hand_over(id).max(LOOK_COST_BYTES));
                self.ended += 1;
                self.effects.push(Effect::Live(id, to.clone()));
            } else {
                self.queue_up(id);
            }
        }
    }
}
