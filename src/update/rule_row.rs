//! The row of the table that a rule stands for, and the update that it gives.

use std::{sync::Arc, time::Duration};

use super::{
    kind::UpdateKind,
    planned::{Coalescing, Destination, Key, Planned, Timing},
    rule_update::RuleUpdate,
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
        let name = self.name.of(event);
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
        let by = self
            .coalesce_by
            .as_ref()
            .filter(|by| by.is_filled(event) && priority != Priority::Critical);
        let timing = by.map_or(Timing::Immediate, |by| {
            let mut key = format!("rule{index}/{}", by.text(event, &event.data));
            // An update of another name, or for other rooms, is another update. A zero stands in no name.
            if let Some(name) = name.as_ref().filter(|_| self.name.varies()) {
                key.push('\0');
                key.push_str(&name.name);
            }
            if let Destination::Rooms(rooms) = &destination {
                for room in rooms.iter() {
                    key.push('\0');
                    key.push_str(room);
                }
            }
            Timing::Coalesced {
                key: Key(key.into()),
                window: self.throttle.unwrap_or(throttle),
                how: Coalescing::Fields,
            }
        });
        // The name that an event fills in may be none; nothing is lost then.
        let kind = match name {
            Some(name) => UpdateKind::Rule(RuleUpdate::new(self, name)),
            None => UpdateKind::Generic,
        };
        Planned {
            event: None,
            bit: 1,
            kind,
            priority,
            timing,
            destination,
        }
    }
}
