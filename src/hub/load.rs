//! Reports the work that waits in the loop, at a cost that does not grow with it.

use super::Hub;
use crate::{
    access::authz::{OBSERVERS, PRODUCERS},
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
            state_bytes: self.projections.state().bytes(),
        });
    }

    /// The number of rooms with members, without the clients' own.
    fn rooms(&self) -> usize {
        let general = [self.options.default_room.as_str(), OBSERVERS, PRODUCERS];
        let general = general.into_iter().filter(|room| !room.contains(':'));
        self.roster.named_rooms() + general.filter(|room| self.roster.count(room) > 0).count()
    }
}
