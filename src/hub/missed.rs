//! The difference of two cursors: what one has that the other lacks, as far as places go.

use smallvec::SmallVec;

use crate::journal::{Bits, Cursor, Pending, Run, Seq};

/// Which places must be read to go from `from` to `to`, at most `max` events: runs in ascending order. What the live
/// stream still owes itself is left to it.
pub(super) fn missed(from: &Cursor, to: &Cursor, max: u64) -> SmallVec<[(Seq, u64); 4]> {
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
    let mut live = &to.owed[..];
    for run in &from.owed {
        let (mut at, end) = (run.start, run.start + run.len);
        while at < end {
            while live.first().is_some_and(|l| l.start + l.len <= at) {
                live = &live[1..];
            }
            match live.first().filter(|l| l.start < end) {
                Some(l) if l.start <= at => {
                    let until = end.min(l.start + l.len);
                    if run.owed & !l.owed != 0 {
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

/// The first place of which somebody at `at` may still miss something.
pub(super) fn first_missed(at: &Cursor) -> Seq {
    at.owed.first().map_or(at.seq + 1, |run| run.start)
}

/// The end of a stretch from `from` towards `to` of which the events up to `last` are taken: what it owes after it.
pub(super) fn reach(from: &Cursor, to: &Cursor, last: Seq) -> Cursor {
    let mut pending = Pending::default();
    for (place, before) in places(&from.owed) {
        let after = if place > last {
            before
        } else {
            before & owed(&to.owed, place)
        };
        pending.push(place, after);
    }
    let newer = |(place, _): &(Seq, Bits)| *place > from.seq && *place <= last;
    for (place, owed) in places(&to.owed).filter(newer) {
        pending.push(place, owed);
    }
    let seq = from.seq.max(to.seq.min(last));
    Cursor {
        epoch: from.epoch,
        seq,
        owed: pending.up_to(seq).collect(),
        within: None,
    }
}

/// Each place of a list of runs, with what it owes.
fn places(runs: &[Run]) -> impl Iterator<Item = (Seq, Bits)> {
    runs.iter()
        .flat_map(|run| (run.start..run.start + run.len).map(|place| (place, run.owed)))
}

/// What a list of runs owes of one event.
pub(super) fn owed(runs: &[Run], seq: Seq) -> Bits {
    let at = runs.partition_point(|run| run.start + run.len <= seq);
    runs.get(at)
        .filter(|run| run.start <= seq)
        .map_or(0, |run| run.owed)
}
