//! Places that the engine lost, and where their events are now.
//!
//! Each node that puts events back writes down where they are, in the engine, so that all nodes know: a client may come to
//! any of them with a cursor of the history that ended.

use std::{fmt::Write, sync::Arc};

use crate::journal::{Epoch, Seq, Way, generations::Generations};

/// The losses that are remembered: a client that was away for longer is given the state.
pub(super) const REMEMBERED: usize = 64;
/// The most runs of one loss: where others put their events between, each event may be one.
const MAX_RUNS: usize = 20_000;

/// The newest places of a history that ended, after the last one that the present history has as well, as one node knew
/// them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Loss {
    /// The generation in which the events were put back.
    pub(super) present: Epoch,
    /// The epochs of cursors that may name the lost places, each with the newest place that it could name.
    pub(super) epochs: Vec<(Epoch, Seq)>,
    /// The last place that both histories have.
    pub(super) common: Seq,
    /// The lost places whose events were put back, ascending.
    pub(super) runs: Vec<LostRun>,
}

/// Places that were put back in a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct LostRun {
    /// The first lost place.
    pub(super) lost: Seq,
    /// Its present place.
    pub(super) now: Seq,
    pub(super) len: u64,
}

impl Loss {
    /// Runs of places, each with the present one, ascending.
    pub(super) fn runs(places: impl Iterator<Item = (Seq, Seq)>) -> Vec<LostRun> {
        let mut runs: Vec<LostRun> = Vec::new();
        for (lost, now) in places {
            let next = |run: &&mut LostRun| (run.lost + run.len, run.now + run.len) == (lost, now);
            if let Some(run) = runs.last_mut().filter(next) {
                run.len += 1;
            } else if runs.len() < MAX_RUNS {
                runs.push(LostRun { lost, now, len: 1 });
            }
        }
        runs
    }

    /// The present place of a lost one.
    fn find(&self, seq: Seq) -> Option<Seq> {
        let at = self.runs.partition_point(|run| run.lost <= seq);
        let run = self.runs.get(at.checked_sub(1)?)?;
        let offset = seq - run.lost;
        (offset < run.len).then(|| run.now + offset)
    }

    /// Whether a cursor of this epoch may name the place in the history that ended.
    fn is_of(&self, epoch: Epoch, seq: Seq) -> bool {
        let mut epochs = self.epochs.iter();
        epochs.any(|(of, newest)| *of == epoch && seq <= *newest)
    }

    fn has(&self, epoch: Epoch) -> bool {
        self.epochs.iter().any(|(of, _)| *of == epoch)
    }

    /// The form in the engine: `present common epoch:newest,… lost:now:len,…`.
    pub(super) fn to_text(&self) -> String {
        let mut text = format!("{} {} ", self.present.0, self.common);
        for (epoch, newest) in &self.epochs {
            // Writing to a text can't fail.
            write!(text, "{}:{newest},", epoch.0).ok();
        }
        text.push(' ');
        for LostRun { lost, now, len } in &self.runs {
            write!(text, "{lost}:{now}:{len},").ok();
        }
        text
    }

    /// Reads that form.
    pub(super) fn read(text: &str) -> Option<Self> {
        let mut parts = text.split(' ');
        let present = Epoch(parts.next()?.parse().ok()?);
        let common = parts.next()?.parse().ok()?;
        let (epochs, runs) = (parts.next()?, parts.next()?);
        let epochs = epochs.split_terminator(',').map(|one| {
            let (epoch, newest) = one.split_once(':')?;
            Some((Epoch(epoch.parse().ok()?), newest.parse().ok()?))
        });
        let runs = runs.split_terminator(',').map(|one| {
            let (lost, rest) = one.split_once(':')?;
            let (now, len) = rest.split_once(':')?;
            Some(LostRun {
                lost: lost.parse().ok()?,
                now: now.parse().ok()?,
                len: len.parse().ok()?,
            })
        });
        Some(Self {
            present,
            common,
            epochs: epochs.collect::<Option<_>>()?,
            runs: runs.collect::<Option<_>>()?,
        })
    }
}

/// All losses that are remembered, the oldest first.
#[derive(Debug, Default)]
pub(super) struct Losses {
    all: Vec<Arc<Loss>>,
    /// Those that this node wrote down: the engine may lose them, too.
    own: Vec<Arc<Loss>>,
}

impl Losses {
    /// Whether newest places of this epoch are known to be lost.
    pub(super) fn has(&self, epoch: Epoch) -> bool {
        self.all.iter().any(|loss| loss.has(epoch))
    }

    /// Adds a loss that this node found.
    pub(super) fn add(&mut self, loss: Loss) {
        let loss = Arc::new(loss);
        for list in [&mut self.own, &mut self.all] {
            list.push(loss.clone());
            let many = list.len().saturating_sub(REMEMBERED);
            list.drain(..many);
        }
    }

    /// Takes the engine's list. Returns this node's own losses that are missing in it.
    pub(super) fn take(&mut self, engine: Vec<Loss>) -> Vec<Arc<Loss>> {
        self.all.clear();
        for loss in engine {
            if self.all.iter().all(|known| **known != loss) {
                self.all.push(Arc::new(loss));
            }
        }
        // A full list let go of its oldest: those are not written again behind newer ones.
        let is_full = self.all.len() >= REMEMBERED;
        let last = self.own.iter().rposition(|own| self.all.contains(own));
        let begin = match is_full {
            true => last.unwrap_or(self.own.len()),
            false => 0,
        };
        let missing = self.own[begin..]
            .iter()
            .filter(|own| !self.all.contains(own));
        let missing: Vec<_> = missing.cloned().collect();
        self.all.extend(missing.iter().cloned());
        missing
    }

    /// The last common place of a cursor's epoch, if its newest places were lost, and a way from these to the present
    /// ones, in a history with these generations and this newest place.
    pub(super) fn of(
        &self,
        epoch: Epoch,
        (generations, last): (Arc<Generations>, Seq),
    ) -> Option<(Seq, Way)> {
        let begin = self.all.iter().position(|loss| loss.has(epoch))?;
        let losses = self.all[begin..].to_vec();
        let (mut common, mut names) = (Seq::MAX, vec![epoch]);
        for loss in &losses {
            if names.iter().any(|name| loss.has(*name)) {
                common = common.min(loss.common);
                names.push(loss.present);
            }
        }
        let now = move |mut seq: Seq| {
            let mut name = epoch;
            for loss in &losses {
                if !loss.is_of(name, seq) {
                    continue;
                }
                if seq <= loss.common {
                    name = loss.present;
                } else if let Some(now) = loss.find(seq) {
                    // It may be lost again later, as a place of this generation.
                    (seq, name) = (now, loss.present);
                }
            }
            let newest = generations.newest(name, last)?;
            (seq <= newest).then_some(seq)
        };
        Some((common, Box::new(now)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn loss(present: u32, epochs: &[(u32, Seq)], common: Seq, runs: &[(Seq, Seq)]) -> Loss {
        Loss {
            present: Epoch(present),
            epochs: epochs.iter().map(|&(e, n)| (Epoch(e), n)).collect(),
            common,
            runs: Loss::runs(runs.iter().copied()),
        }
    }

    fn generations(known: &[(u32, Seq)], present: (u32, Seq)) -> Arc<Generations> {
        let known: Vec<_> = known.iter().map(|&(e, began)| (Epoch(e), began)).collect();
        Arc::new(Generations::new(&known, (Epoch(present.0), present.1)))
    }

    #[test]
    fn what_was_put_back_and_lost_again_is_found_where_it_is() {
        let mut losses = Losses::default();
        losses.add(loss(2, &[(1, 14)], 10, &[(11, 12), (13, 14)]));
        losses.add(loss(3, &[(2, 14)], 12, &[(13, 20), (14, 21)]));
        let now = || (generations(&[(1, 0), (2, 10)], (3, 12)), 30);
        let (common, way) = losses.of(Epoch(1), now()).unwrap();
        assert_eq!(common, 10);
        assert_eq!([11, 12, 13, 14].map(&way), [Some(12), None, Some(21), None]);
        let (common, way) = losses.of(Epoch(2), now()).unwrap();
        assert_eq!((common, way(13), way(12)), (12, Some(20), Some(12)));
        assert!(losses.of(Epoch(3), now()).is_none());
    }

    #[test]
    fn runs_are_bounded() {
        let scattered = (1..=MAX_RUNS as u64 + 5).map(|n| (n, 2 * n));
        let runs = Loss::runs(scattered);
        assert_eq!(runs.len(), MAX_RUNS);
        assert_eq!(Loss::runs((1..=50_000).map(|n| (n, n + 7))).len(), 1);
    }

    #[test]
    fn nodes_that_knew_different_parts_tell_the_way_together() {
        let mut losses = Losses::default();
        let engine = vec![
            loss(2, &[(1, 13)], 10, &[(11, 11)]),
            loss(2, &[(1, 13)], 10, &[(11, 11), (12, 14)]),
            loss(2, &[(1, 14)], 10, &[(14, 15)]),
            // Later more was lost, also of what both had had.
            loss(
                3,
                &[(1, 10), (2, 15)],
                8,
                &[(9, 9), (10, 10), (11, 11), (15, 12)],
            ),
        ];
        assert!(losses.take(engine).is_empty());
        let now = || (generations(&[(1, 0), (2, 10)], (3, 8)), 20);
        let (common, way) = losses.of(Epoch(1), now()).unwrap();
        assert_eq!(common, 8);
        // 12 was at 14 then, which nobody put back; 13 was never put back, and 9 only lost later.
        assert_eq!(
            [9, 11, 12, 13, 14].map(&way),
            [Some(9), Some(11), None, None, Some(12)]
        );
    }

    #[test]
    fn a_full_list_is_not_given_its_oldest_again_behind_newer_ones() {
        let of = |n: u64| loss(7, &[(1, n)], 5, &[(6, n)]);
        let mut losses = Losses::default();
        [100, 101, 102].into_iter().for_each(|n| losses.add(of(n)));
        let others = || (0..REMEMBERED as u64).map(of);
        // Others wrote so many since: these are let go of.
        assert!(losses.take(others().collect()).is_empty());
        // One of its own is there, so what it wrote after that one is missing.
        let with_one = others().skip(1).chain([of(101)]);
        assert_eq!(losses.take(with_one.collect()), [Arc::new(of(102))]);
    }

    #[test]
    fn the_form_in_the_engine_is_read_again_and_what_the_engine_lost_is_told() {
        let one = loss(7, &[(1, 9), (2, 12)], 5, &[(6, 8), (7, 9), (9, 20)]);
        assert_eq!(Loss::read(&one.to_text()), Some(one.clone()));
        let none = loss(7, &[(1, 9)], 5, &[]);
        assert_eq!(Loss::read(&none.to_text()), Some(none.clone()));
        assert_eq!(Loss::read("7 x  "), None);
        let mut losses = Losses::default();
        losses.add(one.clone());
        assert_eq!(losses.take(vec![none.clone()]), [Arc::new(one.clone())]);
        assert!(losses.take(vec![one, none]).is_empty());
    }
}
