//! A journal that went back: its engine lost the newest events, and has others at their places.
//!
//! The state is made anew of what the journal has now. Each member goes on from its own place in the history that ended:
//! what it has and was put back is not sent again, and all else is. A member whose place is not known any more is given
//! the state.

use std::time::Duration;

use super::{Hub, command::Resumption};

/// The pause after a failure to make the state anew.
const RETRY_PAUSE: Duration = Duration::from_millis(100);

impl Hub {
    /// Begins anew with the journal's present history.
    pub(super) async fn begin_anew(&mut self) {
        let places = self.roster.places(&self.stream.cursor());
        self.stream.begin_anew();
        self.projections.begin_anew(&self.options);
        self.catchup.begin_anew();
        // Nobody may be told anything before: what was sent is of a history that ended.
        while let Err(error) = self.restore().await {
            tracing::error!(%error, "the state can't be made anew; trying again");
            tokio::time::sleep(RETRY_PAUSE).await;
        }
        tracing::warn!(
            members = places.len(),
            "the journal went back to an earlier place; all clients go on from where they are"
        );
        for (member, place) in places {
            self.resume(member, Resumption::quietly(place), None);
        }
        self.aggregates.changed();
    }
}
