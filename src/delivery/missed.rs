//! The difference of two cursors: the places that one has and the other lacks.

use smallvec::SmallVec;

use crate::{
    delivery::{Cursor, Pending, Run},
    journal::Seq,
    update::Bits,
};

/// The places that must be read to go from `from` to `to`, at most `max` events: runs in ascending order. Updates that
/// the live stream has not sent itself are left to it.
pub(crate) fn missed(from: &Cursor, to: &Cursor, max: u64) -> SmallVec<[(Seq, u64); 4]> {
    let mut ranges: SmallVec<[(Seq, u64); 4]> = SmallVec::new();
    let mut left = max;
    let mut take = |start: Seq, len: u64| {
        let len = len.min(left);
        if len == 0 {
            return;
        }
        left -= len;
        match ranges.last_mut() {
            Some((before, count)) if *before + *count == start => *count += len,
            _ => ranges.push((start, len)),
        }
    };
    let mut live = &to.unsent[..];
    for run in &from.unsent {
        let (mut at, end) = (run.start, run.start + run.len);
        while at < end {
            while live.first().is_some_and(|l| l.start + l.len <= at) {
                live = &live[1..];
            }
            match live.first().filter(|l| l.start < end) {
                Some(l) if l.start <= at => {
                    let until = end.min(l.start + l.len);
                    if run.unsent & !l.unsent != 0 {
                        take(at, until - at);
                    }
                    at = until;
                }
                Some(l) => {
                    take(at, l.start - at);
                    at = l.start;
                }
                None => {
                    take(at, end - at);
                    at = end;
                }
            }
        }
    }
    take(from.seq + 1, to.seq.saturating_sub(from.seq));
    ranges
}

/// The first place of which a client at `at` may still miss an update.
pub(crate) fn first_missed(at: &Cursor) -> Seq {
    at.unsent.first().map_or(at.seq + 1, |run| run.start)
}

/// The end of a segment from `from` towards `to` that took the events up to `last`, with the updates that are unsent
/// after it. The work goes by runs: all of the journal may be unsent in a cursor, and the loop waits for this.
pub(crate) fn reach(from: &Cursor, to: &Cursor, last: Seq) -> Cursor {
    let mut pending = Pending::default();
    for run in &from.unsent {
        let taken = clip(*run, 0, last);
        let end = taken.start + taken.len;
        let at = to
            .unsent
            .partition_point(|r| r.start + r.len <= taken.start);
        let live = to.unsent[at..].iter().take_while(|r| r.start < end);
        for both in live.filter(|_| taken.len > 0) {
            pending.push_run(Run {
                unsent: both.unsent & run.unsent,
                ..clip(*both, taken.start, end - 1)
            });
        }
        pending.push_run(clip(*run, last.saturating_add(1), Seq::MAX));
    }
    for run in &to.unsent {
        pending.push_run(clip(*run, from.seq + 1, last));
    }
    let seq = from.seq.max(to.seq.min(last));
    Cursor {
        // The journal may have begun a generation since, whose places the earlier epoch does not name.
        epoch: to.epoch,
        seq,
        unsent: pending.up_to(seq).collect(),
        within: None,
    }
}

/// The part of a run from `first` to `last`; it may be empty.
fn clip(run: Run, first: Seq, last: Seq) -> Run {
    let start = run.start.max(first);
    let end = (run.start + run.len).min(last.saturating_add(1));
    Run {
        start,
        len: end.saturating_sub(start),
        unsent: run.unsent,
    }
}

/// The unsent updates of one event, in a list of runs.
pub(crate) fn unsent(runs: &[Run], seq: Seq) -> Bits {
    let at = runs.partition_point(|run| run.start + run.len <= seq);
    runs.get(at)
        .filter(|run| run.start <= seq)
        .map_or(0, |run| run.unsent)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;
    use crate::journal::Epoch;

    fn cursor(seq: Seq, unsent: &BTreeMap<Seq, Bits>) -> Cursor {
        let mut pending = Pending::default();
        unsent
            .iter()
            .for_each(|(at, bits)| pending.push(*at, *bits));
        Cursor {
            unsent: pending.up_to(seq).collect(),
            ..Cursor::at(Epoch(9), seq)
        }
    }

    fn owing() -> impl Strategy<Value = BTreeMap<Seq, Bits>> {
        prop::collection::btree_map(1_u64..40, 1_u32..4, 0..30)
    }

    proptest! {
        #[test]
        fn where_a_segment_ends_is_what_going_place_by_place_would_say(
            (at, end, last) in (1_u64..40, 1_u64..40, prop_oneof![0_u64..45, Just(Seq::MAX)]),
            (before, live) in (owing(), owing()),
        ) {
            let to = cursor(end, &live);
            // The journal may have begun a generation meanwhile.
            let from = Cursor { epoch: Epoch(8), ..cursor(at, &before) };
            let reached = reach(&from, &to, last);
            let seq = at.max(end.min(last));
            let mut left = BTreeMap::new();
            for place in 1..=seq {
                let (mine, theirs) = (unsent(&from.unsent, place), unsent(&to.unsent, place));
                let after = match (place > at, place > last) {
                    (false, false) => mine & theirs,
                    (false, true) => mine,
                    (true, false) => theirs,
                    (true, true) => 0,
                };
                if after != 0 {
                    left.insert(place, after);
                }
            }
            prop_assert_eq!(reached, cursor(seq, &left));
        }
    }

    #[test]
    fn a_cursor_that_owes_everything_costs_no_more_than_its_runs() {
        let all = Run {
            start: 1,
            len: 1 << 60,
            unsent: 1 << 30,
        };
        let from = Cursor {
            unsent: [all].into_iter().collect(),
            ..Cursor::at(Epoch(9), 1 << 60)
        };
        let reached = reach(&from, &Cursor::at(Epoch(9), 1 << 60), 1_000);
        let rest = Run {
            start: 1_001,
            len: (1 << 60) - 1_000,
            ..all
        };
        assert_eq!(reached.unsent[..], [rest]);
    }
}
