//! The check of one observer's sequence: what was lost, what came twice, what came in another order.

/// The most gaps that are remembered; a server that loses more has been found out already.
const MAX_GAPS: usize = 10_000;

/// The updates that one observer got.
#[derive(Debug, Default, Clone)]
pub(super) struct Tracker {
    /// The number of the next update.
    next: u64,
    /// Updates below that did not come, as first and end.
    gaps: Vec<(u64, u64)>,
    /// Updates below that are missing for good, since no more gaps could be remembered.
    forgotten: u64,
    /// Updates that came more than once.
    pub(super) doubled: u64,
    /// Updates that came after a later one.
    pub(super) out_of_order: u64,
}

impl Tracker {
    /// Notes an update; says whether it came for the first time.
    #[inline]
    pub(super) fn note(&mut self, index: u64) -> bool {
        if index == self.next {
            self.next += 1;
            return true;
        }
        self.note_odd(index)
    }

    #[cold]
    fn note_odd(&mut self, index: u64) -> bool {
        if index > self.next {
            if self.gaps.len() < MAX_GAPS {
                self.gaps.push((self.next, index));
            } else {
                self.forgotten += index - self.next;
            }
            self.next = index + 1;
            return true;
        }
        let gap = self
            .gaps
            .iter()
            .position(|(first, end)| (*first..*end).contains(&index));
        let Some(at) = gap else {
            self.doubled += 1;
            return false;
        };
        self.out_of_order += 1;
        let (first, end) = self.gaps.swap_remove(at);
        let rest = [(first, index), (index + 1, end)];
        self.gaps
            .extend(rest.into_iter().filter(|(first, end)| first < end));
        true
    }

    /// The updates below `sent` that never came.
    pub(super) fn lost(&self, sent: u64) -> u64 {
        let gaps: u64 = self.gaps.iter().map(|(first, end)| end - first).sum();
        gaps + self.forgotten + sent.saturating_sub(self.next)
    }

    /// Whether all updates below `sent` are there.
    pub(super) fn has_all(&self, sent: u64) -> bool {
        self.next >= sent && self.gaps.is_empty() && self.forgotten == 0
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn order_losses_and_doubles_are_told_apart() {
        let mut tracker = Tracker::default();
        for index in [0, 1, 2, 5, 3, 5, 1, 7] {
            tracker.note(index);
        }
        assert_eq!((tracker.doubled, tracker.out_of_order), (2, 1));
        // 4 and 6 are missing, and 8 and 9 at the end.
        assert_eq!(tracker.lost(10), 4);
        assert!(!tracker.has_all(8));
        for index in [4, 6] {
            assert!(tracker.note(index));
        }
        assert!(tracker.has_all(8) && !tracker.has_all(9));
    }

    proptest! {
        #[test]
        fn every_update_is_counted_once(indices in prop::collection::vec(0u64..20, 0..60)) {
            let mut tracker = Tracker::default();
            let first_times = indices.iter().filter(|index| tracker.note(**index)).count();
            let distinct: std::collections::BTreeSet<_> = indices.iter().collect();
            prop_assert_eq!(first_times, distinct.len());
            prop_assert_eq!(tracker.lost(20), 20 - distinct.len() as u64);
            prop_assert_eq!(tracker.doubled, (indices.len() - distinct.len()) as u64);
        }
    }
}
