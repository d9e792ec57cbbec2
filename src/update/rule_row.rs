//! The row of the table that a rule stands for: the update that it gives.

use std::{sync::Arc, time::Duration};

use super::{
    kind::UpdateKind,
    planned::{Coalescing, Destination, Key, Planned, Timing},
    rules::Rule,
};
use crate::event::{Event, Priority};

impl Rule {
    /// The update that the rule gives for an event; `index` is the rule's place among all.
    pub(super) fn plan(
        self: Arc<Self>,
        event: &Event,
        throttle: Duration,
        index: usize,
    ) -> Planned {
        let priority = event.priority.or(self.priority).unwrap_or(Priority::Normal);
        let by = self
            .coalesce_by
            .as_ref()
            .filter(|by| by.is_filled(event) && priority != Priority::Critical);
        let timing = by.map_or(Timing::Immediate, |by| Timing::Coalesced {
            key: Key(format!("rule{index}/{}", by.text(event, &event.data)).into()),
            window: self.throttle.unwrap_or(throttle),
            how: Coalescing::Fields,
        });
        let destination = match &self.rooms {
            None => Destination::EventRooms,
            // A room whose id the event doesn't name is no room.
            Some(rooms) => Destination::Rooms(
                rooms
                    .iter()
                    .filter(|room| room.is_filled(event))
                    .map(|room| room.room(event, &event.data))
                    .collect(),
            ),
        };
        Planned {
            bit: 1,
            kind: UpdateKind::Rule(self),
            priority,
            timing,
            destination,
        }
    }
}
