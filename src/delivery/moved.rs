//! Cursors of a history that ended: the engine of the journal lost its newest events, and they were put back at other
//! places.

use std::collections::BTreeMap;

use crate::{
    delivery::{Cursor, Pending, Run},
    journal::{Epoch, Seq},
    update::Bits,
};

/// The most places that are looked at: a client with more of them is given the state.
const MAX_MOVED: u64 = 100_000;

/// A cursor as the present history names it. `common` is the last place that both have, and `now` tells the present place
/// of the event at a later one. None for a place within a segment of lost events, or with too many lost places.
pub(crate) fn moved(
    place: &Cursor,
    (common, now): (Seq, &dyn Fn(Seq) -> Option<Seq>),
    epoch: Epoch,
) -> Option<Cursor> {
    if let Some(within) = &place.within {
        // A segment that both histories have is the same as before; of another one it is not known what the client has.
        let is_common = within.to <= common;
        return is_common.then(|| Cursor {
            epoch,
            ..place.clone()
        });
    }
    if place.seq.saturating_sub(common) > MAX_MOVED {
        return None;
    }
    let mut pending = Pending::default();
    let runs = place.unsent.iter();
    for run in runs.filter(|run| run.start <= common) {
        pending.push_run(Run {
            len: run.len.min(common + 1 - run.start),
            ..*run
        });
    }
    // The events that the client has, by their present places, and what it lacks of each.
    let mut has: BTreeMap<Seq, Bits> = BTreeMap::new();
    let mut runs = place.unsent.iter().peekable();
    for seq in common + 1..=place.seq {
        while runs.next_if(|run| run.start + run.len <= seq).is_some() {}
        let unsent = runs.peek().filter(|run| run.start <= seq);
        if let Some(now) = now(seq) {
            has.insert(now, unsent.map_or(0, |run| run.unsent));
        }
    }
    let mut at = common.min(place.seq);
    for (seq, unsent) in has {
        pending.push_run(Run {
            start: at + 1,
            len: seq - at - 1,
            unsent: Bits::MAX,
        });
        pending.push(seq, unsent);
        at = seq;
    }
    let moved = Cursor {
        epoch,
        seq: at,
        unsent: pending.up_to(at).collect(),
        within: None,
    };
    Some(moved.readable())
}

#[cfg(test)]
mod tests {
    use smallvec::SmallVec;

    use super::*;
    use crate::delivery::SegmentPosition;

    #[test]
    fn what_was_put_back_is_had_and_all_else_is_missed() {
        // 11 to 14 were lost; 12 came back as 11, 11 as 13, 14 as 15, and others took the places between.
        let now = |seq| match seq {
            11 => Some(13),
            12 => Some(11),
            14 => Some(15),
            _ => None,
        };
        let run = |start, len, unsent| Run { start, len, unsent };
        let of = |seq, unsent: &[Run]| {
            let place = Cursor {
                unsent: unsent.iter().copied().collect(),
                ..Cursor::at(Epoch(1), seq)
            };
            let moved = moved(&place, (10, &now), Epoch(2)).unwrap();
            assert_eq!(moved.epoch, Epoch(2));
            (moved.seq, moved.unsent.to_vec())
        };
        assert_eq!(of(9, &[]), (9, vec![]));
        assert_eq!(of(10, &[run(8, 2, 1)]), (10, vec![run(8, 2, 1)]));
        assert_eq!(of(11, &[]), (13, vec![run(11, 2, Bits::MAX)]));
        assert_eq!(of(12, &[]), (13, vec![run(12, 1, Bits::MAX)]));
        // A segment is the same where both histories have all of it.
        let within = |to| Cursor {
            within: Some(Box::new(SegmentPosition {
                to,
                unsent: SmallVec::new(),
                sent: (7, 1),
                topics: 0,
                grouping: 1,
            })),
            ..Cursor::at(Epoch(1), 6)
        };
        let same = moved(&within(10), (10, &now), Epoch(2));
        let expected = Cursor {
            epoch: Epoch(2),
            ..within(10)
        };
        assert_eq!(same, Some(expected));
        assert_eq!(moved(&within(11), (10, &now), Epoch(2)), None);
        // The runs of a cursor may reach over the last common place.
        let (seq, unsent) = of(14, &[run(9, 4, 2)]);
        assert_eq!(seq, 15);
        let told = [
            run(9, 2, 2),
            run(11, 1, 2),
            run(12, 1, Bits::MAX),
            run(13, 1, 2),
            run(14, 1, Bits::MAX),
        ];
        let each = |runs: &[Run]| -> Vec<(Seq, Bits)> {
            let places = runs
                .iter()
                .flat_map(|run| (run.start..run.start + run.len).map(|seq| (seq, run.unsent)));
            places.collect()
        };
        assert_eq!(each(&unsent), each(&told));
    }
}
