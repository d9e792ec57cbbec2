//! Reports the work that waits in the loop, at a cost that does not grow with it.

use super::Hub;
use crate::{
    access::authz::{OBSERVERS, PRODUCERS, RoomKind},
    observe::Waiting,
};

impl Hub {
    /// Sets the gauges of the loop's queues.
    pub(super) fn report_load(&self) {
        self.metrics.load.set(&Waiting {
            updates: self.stream.pacer().waiting(),
            // Members that went live or away since the last round count until they are passed over.
            behind: self.catchup.queue.len(),
            members: self.roster.len(),
            rooms: self.rooms(),
            free_rooms: self.roster.free().rooms,
            free_room_bytes: self.roster.free().bytes,
            state_bytes: self.projections.state().bytes(),
        });
    }

    /// The number of rooms with members, without the clients' own.
    fn rooms(&self) -> usize {
        let general = [self.options.default_room.as_str(), OBSERVERS, PRODUCERS];
        let general = general
            .into_iter()
            .filter(|room| !RoomKind::of(room).is_by_request());
        self.roster.named_rooms() + general.filter(|room| self.roster.count(room) > 0).count()
    }
}
