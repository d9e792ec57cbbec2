//! The events of a round, and the time at which each update of them was sent.

use std::collections::{BTreeSet, HashMap};

use super::events::{Event, Update};

#[derive(Debug, Default)]
pub(super) struct Truth {
    pub(super) events: Vec<Event>,
    /// The number of the update in which the witness got it.
    pub(super) sent: HashMap<Update, usize>,
    /// The number of updates that the witness got.
    pub(super) count: usize,
    /// The event after which the state begins: a journal in memory had let go of earlier ones when the hub began.
    pub(super) forgotten: u64,
    /// The runs and jobs that have an owner.
    pub(super) owned: BTreeSet<String>,
}

impl Truth {
    pub(super) fn event(&self, n: u64) -> Result<&Event, String> {
        let at = usize::try_from(n).ok().and_then(|n| n.checked_sub(1));
        at.and_then(|at| self.events.get(at))
            .ok_or_else(|| format!("nobody published e{n}"))
    }

    /// All updates that are due to anybody.
    pub(super) fn updates(&self) -> impl Iterator<Item = (&Event, Update)> {
        let events = self.events.iter();
        events.flat_map(|event| {
            event
                .gives()
                .iter()
                .map(move |name| (event, (event.n, *name)))
        })
    }

    pub(super) fn unsent(&self) -> Vec<Update> {
        let all = self.updates().map(|(_, update)| update);
        all.filter(|update| !self.sent.contains_key(update))
            .collect()
    }
}
