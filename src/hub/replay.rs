//! Makes a stretch of the stream ready for those who have not seen it.
//!
//! What a client has seen is a cursor: a place, and the groups of updates below it that were not sent. The same is known of
//! the live stream. The difference of the two is what the client missed, group by group: events are planned and grouped
//! exactly as they were, so nothing is sent twice and nothing is left out.
//!
//! Windows don't matter here: within a stretch everything that has a key is united, however long it took. The groups
//! go in journal order.

use std::{sync::Arc, time::Instant};

use smallvec::SmallVec;

use super::{Outgoing, position::Position};
use crate::{
    journal::{Cursor, Pending, Record, Run, Seq},
    pace::{Group, Pacer, group},
    update::{
        Audience, Listening, Planned, Stamp, Table, entities, event_rooms, render, rooms_hash,
    },
};

/// A part of what was missed, rendered once for all who stand at the same place.
#[derive(Debug)]
pub(super) struct Stretch {
    /// Where they stand before it.
    pub(super) from: Cursor,
    /// Where they stand after it.
    pub(super) end: Cursor,
    /// What they are sent, each if its rooms and filter let it through.
    pub(super) updates: Vec<Replayed>,
    /// How many of them belong together, group by group.
    pub(super) groups: Vec<usize>,
    /// Of how many records it is.
    pub(super) of: usize,
    /// Whether these are all that it was to be made of.
    pub(super) whole: bool,
}

/// One update of a stretch.
#[derive(Debug)]
pub(super) struct Replayed {
    pub(super) planned: Planned,
    /// The last event in it.
    pub(super) record: Arc<Record>,
    /// The rooms it goes to; of a topic's update, none.
    pub(super) rooms: Arc<[Box<str>]>,
    /// With the cursor after its group, for those who see no later one of the group.
    pub(super) last: Outgoing,
    /// With the cursor before it, for the others; none where the group has no later one.
    pub(super) earlier: Option<Outgoing>,
}

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

/// Makes the stretch from `from` over `records` (those of [`missed`], in order), leaving out what is still to be sent
/// live: what `to` owes. If more than `max_bytes` came together, the stretch is of fewer events.
pub(super) fn prepare(
    table: &Table,
    records: &[Arc<Record>],
    from: &Cursor,
    to: &Cursor,
    max_bytes: usize,
) -> Stretch {
    let mut take = records.len();
    loop {
        match attempt(table, &records[..take], from, to, max_bytes) {
            Ok(stretch) => {
                return Stretch {
                    of: take,
                    whole: take == records.len(),
                    ..stretch
                };
            }
            Err(fitting) => take = fitting.clamp(1, take.saturating_sub(1).max(1)),
        }
    }
}

/// The stretch, or how many of the events would probably fit.
fn attempt(
    table: &Table,
    records: &[Arc<Record>],
    from: &Cursor,
    to: &Cursor,
    max_bytes: usize,
) -> Result<Stretch, usize> {
    let (groups, mut pending) = gather(table, records, from, to);
    let last = records.last().map_or(from.seq, |record| record.seq);
    let mut position = Position::at(from);
    let (mut updates, mut sizes, mut bytes, count) = (Vec::new(), Vec::new(), 0, groups.len());
    for (at, group) in groups.into_iter().enumerate() {
        let rooms = rooms_of(&group);
        let several = group.updates.len() > 1;
        let before = several.then(|| position.text().to_owned());
        for &(seq, bit) in &group.owes {
            pending.clear(seq, bit);
        }
        position.advance(group.last(), &pending);
        for (n, planned) in group.updates.iter().enumerate() {
            let outgoing = |cursor: &str| {
                let stamp = Stamp {
                    cursor,
                    coalesced: group.coalesced(),
                    merged: group.merged.as_ref(),
                };
                let json = render(planned, &group.record.event, &stamp);
                Outgoing::new(planned.kind.namespace(), planned.kind.name(), json).at(cursor)
            };
            let last = outgoing(position.text());
            let before = before.as_deref().filter(|_| n + 1 < group.updates.len());
            bytes += last.json.len();
            updates.push(Replayed {
                planned: planned.clone(),
                record: group.record.clone(),
                rooms: match &planned.audience {
                    Audience::EventRooms => rooms.clone(),
                    Audience::Rooms(rooms) => rooms.iter().map(|r| r.as_str().into()).collect(),
                    Audience::Topic(_) => Arc::default(),
                },
                earlier: before.map(outgoing),
                last,
            });
        }
        sizes.push(group.updates.len());
        if bytes > max_bytes && records.len() > 1 {
            return Err(records.len() * (at + 1) / count * 3 / 4);
        }
    }
    let seq = from.seq.max(last);
    Ok(Stretch {
        from: from.clone(),
        end: Cursor {
            epoch: from.epoch,
            seq,
            owed: pending.up_to(seq).collect(),
        },
        updates,
        groups: sizes,
        of: records.len(),
        whole: true,
    })
}

/// The groups that were missed, united by their keys, in journal order; and what is not sent before them.
fn gather(
    table: &Table,
    records: &[Arc<Record>],
    from: &Cursor,
    to: &Cursor,
) -> (Vec<Group>, Pending) {
    let now = Instant::now();
    let mut pacer = Pacer::gathering();
    let mut pending = Pending::default();
    let mut owed_before = places(&from.owed).peekable();
    for record in records {
        let seq = record.seq;
        // Places that are not looked at stay owed.
        while let Some((place, owed)) = owed_before.next_if(|(place, _)| *place < seq) {
            pending.push(place, owed);
        }
        owed_before.next_if(|(place, _)| *place == seq);
        let missed = if seq > from.seq {
            u8::MAX
        } else {
            owed(&from.owed, seq)
        };
        let live = owed(&to.owed, seq);
        let planned = table.plan(&record.event, Listening::ALL);
        let groups = group(
            record,
            planned,
            &entities(&record.event),
            rooms_hash(&record.event),
        );
        let mut unsent = 0;
        for group in groups {
            let bit = group.owes[0].1;
            unsent |= bit & missed;
            if bit & missed & !live != 0 {
                pacer.accept(group, now);
            }
        }
        pending.push(seq, unsent);
    }
    owed_before.for_each(|(place, owed)| pending.push(place, owed));
    pacer.release_all();
    let mut groups = pacer.take(usize::MAX);
    groups.sort_by_key(Group::last);
    (groups, pending)
}

fn rooms_of(group: &Group) -> Arc<[Box<str>]> {
    let mut rooms: SmallVec<[Box<str>; 8]> = SmallVec::new();
    event_rooms(&group.record.event, &mut |room| rooms.push(room.into()));
    rooms.into_iter().collect()
}

/// Each place of a list of runs, with what it owes.
fn places(runs: &[Run]) -> impl Iterator<Item = (Seq, u8)> {
    runs.iter()
        .flat_map(|run| (run.start..run.start + run.len).map(|place| (place, run.owed)))
}

/// What a list of runs owes of one event.
fn owed(runs: &[Run], seq: Seq) -> u8 {
    let at = runs.partition_point(|run| run.start + run.len <= seq);
    runs.get(at)
        .filter(|run| run.start <= seq)
        .map_or(0, |run| run.owed)
}
