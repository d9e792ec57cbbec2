//! Places that the engine lost, and where their events are now.

use std::sync::Arc;

use crate::journal::{Epoch, Seq, Way};

/// The losses that are remembered: a client that was away for longer is given the state.
const REMEMBERED: usize = 16;

/// The newest places of a history that ended, after the last one that the present history has as well.
#[derive(Debug)]
pub(super) struct Loss {
    /// The epochs of cursors that may name them.
    pub(super) epochs: Vec<Epoch>,
    /// The last place that both histories have.
    pub(super) common: Seq,
    /// The first of the places that follow.
    pub(super) first: Seq,
    /// The present place of the event at each; none for one that could not be put back.
    pub(super) now: Vec<Option<Seq>>,
}

/// All losses that are remembered, the newest last.
#[derive(Debug, Default)]
pub(super) struct Losses(Vec<Arc<Loss>>);

impl Losses {
    pub(super) fn add(&mut self, loss: Loss) {
        self.0.push(Arc::new(loss));
        let many = self.0.len().saturating_sub(REMEMBERED);
        self.0.drain(..many);
    }

    /// The last common place of a cursor's epoch, if its newest places were lost, and a way from these to the present
    /// ones.
    pub(super) fn of(&self, epoch: Epoch) -> Option<(Seq, Way)> {
        let at = self
            .0
            .iter()
            .position(|loss| loss.epochs.contains(&epoch))?;
        // A place that was put back may have been lost again.
        let losses = self.0[at..].to_vec();
        let common = losses.iter().map(|loss| loss.common).min()?;
        let now = move |mut seq: Seq| {
            let (first, later) = losses.split_first()?;
            seq = first.find(seq)?;
            for loss in later {
                if seq > loss.common {
                    seq = loss.find(seq)?;
                }
            }
            Some(seq)
        };
        Some((common, Box::new(now)))
    }
}

impl Loss {
    fn find(&self, seq: Seq) -> Option<Seq> {
        let at = usize::try_from(seq.checked_sub(self.first)?).ok()?;
        self.now.get(at).copied().flatten()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_put_back_and_lost_again_is_found_where_it_is() {
        let mut losses = Losses::default();
        losses.add(Loss {
            epochs: vec![Epoch(1)],
            common: 10,
            first: 11,
            now: vec![Some(12), None, Some(14)],
        });
        losses.add(Loss {
            epochs: vec![Epoch(2)],
            common: 12,
            first: 13,
            now: vec![Some(20), Some(21)],
        });
        let (common, now) = losses.of(Epoch(1)).unwrap();
        assert_eq!(common, 10);
        assert_eq!([11, 12, 13, 14].map(&now), [Some(12), None, Some(21), None]);
        let (common, now) = losses.of(Epoch(2)).unwrap();
        assert_eq!((common, now(13), now(12)), (12, Some(20), None));
        assert!(losses.of(Epoch(3)).is_none());
    }
}
