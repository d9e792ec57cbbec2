//! A journal that went back: its engine lost the newest events, and has others at their places.
//!
//! The state is made anew of what the journal has now. Each member goes on from its own place in the history that ended:
//! what it has and was put back is not sent again, and all else is. A member whose place is not known any more is given
//! the state.

use std::time::Duration;

use super::{Hub, MemberId, snapshots::Taking};
use crate::delivery::Cursor;

/// The pause after a failure to make the state anew.
const RETRY_PAUSE: Duration = Duration::from_millis(100);

impl Hub {
    /// Begins anew with the journal's present history.
    pub(super) async fn begin_anew(&mut self) {
        // The last that is known by the names of the history that ended.
        let (cursor, read) = (self.stream.cursor(), self.stream.seq());
        let places = self.roster.places(&cursor);
        let lost = self.stream.journal().lost(cursor.epoch);
        let learnt = lost.map_or(read, |(common, _)| common.min(read));
        // Nobody may be told anything before: what was sent is of a history that ended.
        while let Err(error) = self.restore_from(learnt).await {
            tracing::error!(%error, "the state can't be made anew; trying again");
            tokio::time::sleep(RETRY_PAUSE).await;
        }
        tracing::warn!(
            members = places.len(),
            "the journal went back to an earlier place; all clients go on from where they are"
        );
        for (member, place) in places {
            self.go_on_from(member, place);
        }
        self.find_asked();
        self.aggregates.changed();
    }

    fn go_on_from(&mut self, id: MemberId, place: Cursor) {
        let Some(member) = self.roster.get_mut(id) else {
            return;
        };
        // Updates in its queue can't be made again as they are.
        member.outlet.settle();
        let taking = member.behind.as_ref().and_then(|behind| behind.taking());
        match taking.map(Taking::project) {
            // The state that it was being given is of the history that ended: it is given all of the present one.
            Some(project) => self.give_snapshot(id, project, None),
            None => self.resume_in_place(id, place),
        }
    }
}
