//! The updates that wait in a pacer, in numbers.

use super::{Pacer, PendingUpdate};
use crate::{
    event::Priority,
    journal::{FlowId, Seq},
};

impl Pacer {
    /// About how many bytes of memory the updates hold, ready or not.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// The number of updates that may go now.
    pub fn ready(&self) -> usize {
        self.ready.len() + self.sums.len()
    }

    /// The producers of which another number of updates waits than at the last call, each with that number.
    pub fn take_changed(&mut self) -> Vec<(FlowId, usize)> {
        self.ready.take_changed()
    }

    /// The place of a producer's oldest update that may go now and has not gone.
    pub fn oldest_ready(&self, flow: FlowId) -> Option<Seq> {
        self.ready.oldest_of(flow)
    }

    /// Whether a critical update may go now.
    pub fn urgent(&self) -> bool {
        self.ready.urgent()
    }

    /// The number of updates that are held in windows.
    pub fn held(&self) -> usize {
        self.held_by_priority.iter().sum()
    }

    /// The number of updates that are held in windows or may go now, most urgent priority first.
    pub fn waiting(&self) -> [usize; Priority::ALL.len()] {
        let mut ready = self.ready.by_level();
        ready[Priority::Low as usize] += self.sums.len();
        std::array::from_fn(|level| self.held_by_priority[level] + ready[level])
    }

    /// The updates that are held in windows.
    pub fn held_groups(&self) -> impl Iterator<Item = &PendingUpdate> {
        self.windows.iter().filter_map(|(_, w)| w.held.as_ref())
    }
}
