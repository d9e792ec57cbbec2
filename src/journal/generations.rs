//! The generations of a journal: each has an epoch of its own.
//!
//! A place alone does not name an event. When a backup is restored, or the newest events are lost with the disk or the
//! engine that had them, other events are written to places that cursors name already. These have another epoch, and
//! the journal knows the last place of each earlier epoch: a cursor of a lost event is beyond that, or of an epoch that
//! the journal doesn't know.

use std::collections::HashMap;

use super::{Epoch, Seq};

/// Generations that are remembered: a server that is started once a minute fills them in a week.
pub(in crate::journal) const KEPT: i64 = 10_000;

/// The generations that a journal knows.
#[derive(Debug)]
pub(in crate::journal) struct Generations {
    /// The epoch of the cursors that are made now.
    present: Epoch,
    /// The earlier epochs, oldest first, with the newest place of each.
    earlier: Vec<(Epoch, Seq)>,
    /// The earlier epochs and their newest places, for look-ups.
    newest: HashMap<Epoch, Seq>,
}

impl Generations {
    pub(in crate::journal) fn new(
        known: &[(Epoch, Seq)],
        (present, mut began): (Epoch, Seq),
    ) -> Self {
        let mut earlier: Vec<(Epoch, Seq)> = Vec::with_capacity(known.len());
        // A generation ends where the next one begins; one that lost its end, where that was noticed.
        for &(epoch, from) in known.iter().rev() {
            earlier.push((epoch, began));
            began = began.min(from);
        }
        earlier.reverse();
        Self {
            present,
            newest: earlier.iter().copied().collect(),
            earlier,
        }
    }

    /// The epoch of the cursors that are made now.
    pub(in crate::journal) fn present(&self) -> Epoch {
        self.present
    }

    /// All epochs, the newest first, each with its newest place; `last` is that of the present one.
    pub(in crate::journal) fn newest_first(&self, last: Seq) -> impl Iterator<Item = (Epoch, Seq)> {
        let earlier = self.earlier.iter().rev().copied();
        std::iter::once((self.present, last)).chain(earlier)
    }

    /// The generation that kept the event at this place, or the oldest one that is known.
    pub(in crate::journal) fn at(&self, seq: Seq) -> Epoch {
        let at = self.earlier.partition_point(|(_, newest)| *newest < seq);
        self.earlier
            .get(at)
            .map_or(self.present, |(epoch, _)| *epoch)
    }

    /// Whether an event of this generation may be at this place. The oldest generations are not known any more.
    pub(in crate::journal) fn is_at(&self, epoch: Epoch, seq: Seq) -> bool {
        let at = self.at(seq);
        let is_oldest = || {
            self.earlier
                .first()
                .is_some_and(|(oldest, _)| *oldest == at)
        };
        at == epoch || (is_oldest() && epoch != self.present && !self.newest.contains_key(&epoch))
    }

    /// The newest place of an epoch, where `last` is that of the present one.
    pub(in crate::journal) fn newest(&self, epoch: Epoch, last: Seq) -> Option<Seq> {
        if epoch == self.present {
            return Some(last);
        }
        self.newest.get(&epoch).copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn known(rows: &[(u32, Seq)], present: (u32, Seq)) -> Generations {
        let rows: Vec<_> = rows.iter().map(|&(e, began)| (Epoch(e), began)).collect();
        Generations::new(&rows, (Epoch(present.0), present.1))
    }

    #[test]
    fn each_goes_as_far_as_the_next_one_begins() {
        // The third generation kept no event.
        let generations = known(&[(1, 0), (2, 10), (3, 30)], (4, 30));
        let newest = |epoch| generations.newest(Epoch(epoch), 99);
        assert_eq!(
            [1, 2, 3, 4, 5].map(newest),
            [Some(10), Some(30), Some(30), Some(99), None]
        );
        let at = |seq| generations.at(seq).0;
        assert_eq!([0, 1, 10, 11, 30, 31, 99].map(at), [1, 1, 1, 2, 2, 4, 4]);
        // One that is not known any more may only be older than all others.
        let is_at = |epoch, seq| generations.is_at(Epoch(epoch), seq);
        assert!(is_at(1, 5) && is_at(9, 5) && is_at(2, 11));
        assert!(!is_at(9, 11) && !is_at(2, 10) && !is_at(1, 11));
    }

    #[test]
    fn a_place_that_was_lost_is_of_none_before_the_loss() {
        // The file had 30 events when the third one began, and 20 at the start after that.
        let generations = known(&[(1, 0), (2, 10), (3, 30)], (4, 20));
        let newest = |epoch| generations.newest(Epoch(epoch), 99);
        assert_eq!([1, 2, 3].map(newest), [Some(10), Some(20), Some(20)]);
        assert_eq!([20, 21].map(|seq| generations.at(seq).0), [2, 4]);
        let emptied = known(&[(1, 0), (2, 10)], (3, 0));
        assert_eq!([1, 2].map(|e| emptied.newest(Epoch(e), 9)), [Some(0); 2]);
        assert_eq!(known(&[], (7, 0)).at(0), Epoch(7));
    }
}
