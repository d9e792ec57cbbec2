//! The way back of events that the engine lost.

use redis::Connection;

use super::{
    follower::Follower,
    lost::Loss,
    past,
    scripts::{Appended, Kept, Told},
};
use crate::{
    engine::Fault,
    journal::{Epoch, Seq, generations::Generations},
    timestamp::Timestamp,
};

/// Events that are appended again at a time, and their bytes.
const HEALED_AT_ONCE: usize = 500;
const HEALED_BYTES_AT_ONCE: usize = 4 << 20;

/// The places of events that were appended again, in their order, none for one whose id stands for another event by now;
/// and how many were not there already.
type Again = (Vec<Option<Seq>>, u64);

/// Events that were lost, each with its place then.
type Lost = Vec<(Seq, Kept)>;

impl Follower {
    /// Appends the events again that the engine lost: those after the common place that were read here, and those of this
    /// node that were acknowledged and not read. Returns the last of their new places, 0 without any; none if a further
    /// generation began.
    pub(super) fn heal(
        &mut self,
        connection: &mut Connection,
        common: Seq,
        is_lost: &dyn Fn(Epoch, Seq) -> bool,
        now: &Generations,
    ) -> Result<Option<Seq>, Fault> {
        let from = self.newest.partition_point(|(seq, _)| *seq <= common);
        let mut lost: Lost = self.newest.range(from..).cloned().collect();
        let first = lost.first().map_or(self.last + 1, |(seq, _)| *seq);
        let missing = first.saturating_sub(common + 1);
        let own = self.shared.own.lost(is_lost).into_iter();
        lost.extend(own.filter(|(seq, _)| *seq > self.last));
        if lost.is_empty() && missing == 0 {
            return Ok(Some(0));
        }
        let healed = lost.len();
        let ended = self.generations.clone();
        let until = self.put_back(connection, (&*ended, common, self.last), &lost, now)?;
        if until.is_some() {
            self.shared.metrics.lost.inc_by(missing);
            tracing::warn!(
                healed,
                missing,
                "the journal's engine lost its newest events; those that are known here were put back"
            );
        }
        Ok(until)
    }

    /// Appends events again, and writes down where they are: of a history that ended with these generations and this place
    /// after the common one.
    pub(super) fn put_back(
        &mut self,
        connection: &mut Connection,
        (ended, common, last): (&Generations, Seq, Seq),
        lost: &[(Seq, Kept)],
        now: &Generations,
    ) -> Result<Option<Seq>, Fault> {
        let present = now.present();
        let Some((places, healed)) = self.append_again(connection, present, lost)? else {
            return Ok(None);
        };
        let of_own = lost.iter().zip(&places);
        let of_own = of_own.map(|((_, kept), place)| (kept.id, *place));
        let reach = lost.last().map_or(0, |(seq, _)| *seq).max(last);
        let epochs = ended.newest_first(reach);
        let moved = lost.iter().zip(&places);
        let loss = Loss {
            present,
            epochs: epochs.take_while(|(_, newest)| *newest > common).collect(),
            common,
            runs: Loss::runs(moved.filter_map(|((seq, _), place)| Some((*seq, (*place)?)))),
        };
        let mapped: u64 = loss.runs.iter().map(|run| run.len).sum();
        let all = places.iter().flatten().count() as u64;
        self.shared
            .metrics
            .unmapped
            .inc_by(all.saturating_sub(mapped));
        past::write_loss(connection, &self.shared.keys, &loss)?;
        self.shared.loses(loss);
        self.shared.own.put_back(present, of_own);
        self.shared.metrics.healed.inc_by(healed);
        Ok(Some(places.iter().flatten().max().copied().unwrap_or(0)))
    }

    /// Appends events again, in their order; none if a further generation began.
    fn append_again(
        &mut self,
        connection: &mut Connection,
        present: Epoch,
        lost: &[(Seq, Kept)],
    ) -> Result<Option<Again>, Fault> {
        let (mut places, mut kept) = (Vec::with_capacity(lost.len()), 0);
        while places.len() < lost.len() {
            let mut bytes = 0;
            let part = lost[places.len()..].iter().take(HEALED_AT_ONCE);
            let part = part.map_while(|(_, kept)| {
                let goes = bytes == 0 || bytes + kept.text.len() <= HEALED_BYTES_AT_ONCE;
                bytes += kept.text.len();
                goes.then_some(kept)
            });
            let now = Timestamp::now().as_micros() / 1_000;
            let keys = &self.shared.keys;
            match self
                .scripts
                .append(connection, keys, (now, present), part)?
            {
                Appended::CompareFirst(_) => return Ok(None),
                Appended::Told(told) => places.extend(told.into_iter().map(|told| match told {
                    Told::Kept(seq) => {
                        kept += 1;
                        Some(seq)
                    }
                    Told::Known(seq) => Some(seq),
                    Told::Conflict => None,
                })),
            }
        }
        Ok(Some((places, kept)))
    }
}
