//! Collects what was missed: takes the events of a segment one after the other, and coalesces the updates that have a
//! key.
//!
//! A client and the live stream have a cursor each: a place, and the groups of updates below it that are unsent. The
//! difference of the two is what the client missed, group by group: events are planned and grouped exactly as they
//! were, so nothing is sent twice and nothing is left out. Windows don't matter: within a segment everything that has a
//! key is coalesced, however long it took, as far as the order of each entity allows. The groups go in the order of
//! their last events.
//!
//! A new segment ends where its updates reach the bound. Only updates that one of its viewers may see count: a thousand
//! values of one key weigh as much as one. A segment that is continued has its end already; the first groups of it are
//! kept, up to the bound.
//!
//! The groups of a segment and their order follow from its two ends alone, never from its viewers or from how much of
//! it is kept. A cursor within a segment relies on that.

#[cfg(test)]
mod tests;

use std::{sync::Arc, time::Instant};

use smallvec::SmallVec;

use crate::hub::viewer::Viewer;
use crate::{
    channel::Listening,
    delivery::{
        Cursor,
        missed::{reach, unsent},
    },
    journal::{Record, Seq},
    pace::{Pacer, PendingUpdate, group},
    update::{Bits, Table, UpdateId, entities, event_rooms, rooms_hash},
};

/// The bytes of text that may be held together, as a multiple of a segment's budget: some of them are for no viewer of
/// the segment.
const MAX_HELD_SEGMENTS: usize = 4;
/// Bytes of memory that the events of a segment may hold while it is built, whatever their texts are.
const MAX_HELD_BYTES: usize = 16 << 20;

/// A segment while its events are read and coalesced.
#[derive(Debug)]
pub(in crate::hub) struct SegmentBuilder {
    /// The live stream's own table: events must be planned as they were when they were live.
    table: Arc<Table>,
    /// The audiences that the segment is for.
    viewers: Arc<[Viewer]>,
    /// The place where the members stand, perhaps within a segment that was begun.
    from: Cursor,
    /// The topics that it is planned for. Their updates go at once and divide what would be coalesced, so a topic that
    /// nobody here listens to must be left out; and a cursor has to name them.
    topics: Listening,
    /// The latest end of the segment; the live stream will send what is unsent there.
    to: Cursor,
    /// The last group of the segment that the members have already.
    sent: UpdateId,
    /// About how many bytes of text the segment may have.
    budget: usize,
    pacer: Pacer,
    /// One moment for the whole segment, so that no window ends within it.
    now: Instant,
    /// Groups that are final and that a viewer may see.
    released: Vec<PendingUpdate>,
    /// About how many bytes of text the released groups have.
    weight: usize,
    /// About how many bytes of memory the released groups hold.
    held: usize,
    /// The first group that is left for the next segment.
    beyond: Option<UpdateId>,
    last: Seq,
    /// Whether the segment ends at `last`, before `to`.
    cut: bool,
}

/// The updates of a segment, coalesced and not yet written.
#[derive(Debug)]
pub(in crate::hub) struct CoalescedSegment {
    pub(in crate::hub) viewers: Arc<[Viewer]>,
    pub(in crate::hub) from: Cursor,
    pub(in crate::hub) topics: Listening,
    pub(in crate::hub) to: Cursor,
    /// The groups that a viewer may see and that were unsent, in order.
    pub(in crate::hub) groups: Vec<PendingUpdate>,
    /// Whether the groups are all of the segment; otherwise some are left for the next time.
    pub(in crate::hub) whole: bool,
}

impl SegmentBuilder {
    /// Begins a segment at `from`, or goes on with the one that `from` is within.
    pub(in crate::hub) fn new(
        table: Arc<Table>,
        viewers: Arc<[Viewer]>,
        from: Cursor,
        to: &Cursor,
        topics: Listening,
        budget: usize,
    ) -> Self {
        let (to, sent, topics) = match &from.within {
            None => (reach(&from, to, Seq::MAX), (0, 0), topics),
            Some(within) => {
                let topics = Listening::of_bits(within.topics);
                (end_of(&from), within.sent, topics)
            }
        };
        Self {
            table,
            viewers,
            from,
            topics,
            to,
            sent,
            budget,
            pacer: Pacer::coalescing(),
            now: Instant::now(),
            released: Vec::new(),
            weight: 0,
            held: 0,
            beyond: None,
            last: 0,
            cut: false,
        }
    }

    /// Takes the next of the records that were missed; false when the segment is full.
    pub(in crate::hub) fn take(&mut self, records: &[Arc<Record>]) -> bool {
        for record in records {
            let seq = record.seq;
            let missed = if seq > self.from.seq {
                Bits::MAX
            } else {
                unsent(&self.from.unsent, seq)
            };
            let wanted = missed & !unsent(&self.to.unsent, seq);
            let planned = self.table.plan(&record.event, self.topics);
            let (entities, rooms) = (entities(&record.event), rooms_hash(&record.event));
            for group in group(record, planned, &entities, rooms) {
                if group.update.bit & wanted != 0 {
                    self.pacer.accept(group, self.now);
                }
            }
            self.last = seq;
        }
        self.take_final();
        if self.from.within.is_none() {
            self.cut |= self.has_enough();
        }
        !self.cut
    }

    /// Ends the segment at the last record that it took: the journal has more, but that is for the next one.
    pub(in crate::hub) fn cut(&mut self) {
        self.cut |= self.from.within.is_none();
    }

    /// Ends the segment with all that it took.
    pub(in crate::hub) fn finish(mut self) -> CoalescedSegment {
        self.pacer.release_all();
        self.take_final();
        self.released.sort_by_key(PendingUpdate::mark);
        let to = match self.cut {
            true => reach(&self.from, &self.to, self.last),
            false => self.to,
        };
        CoalescedSegment {
            viewers: self.viewers,
            from: self.from,
            to,
            topics: self.topics,
            groups: self.released,
            whole: self.beyond.is_none(),
        }
    }

    /// Looks at the groups that became final.
    fn take_final(&mut self) {
        for group in self.pacer.take(usize::MAX) {
            let mark = group.mark();
            let here = mark > self.sent && self.beyond.is_none_or(|beyond| mark < beyond);
            if here && self.is_seen(&group) {
                self.weight += group.weight;
                self.held += group.held;
                self.released.push(group);
            }
        }
        let much = self.weight > MAX_HELD_SEGMENTS * self.budget || self.held > MAX_HELD_BYTES;
        if self.from.within.is_some() && much {
            self.leave_some();
        }
    }

    /// Leaves the last groups for the next segment.
    fn leave_some(&mut self) {
        self.released.sort_by_key(PendingUpdate::mark);
        let (mut weight, mut held) = (0, 0);
        let fitting = self.released.iter().take_while(|group| {
            weight += group.weight;
            held += group.held;
            weight <= self.budget && held <= MAX_HELD_BYTES / 2
        });
        let keep = fitting.count().max(1);
        self.beyond = self
            .released
            .get(keep)
            .map(PendingUpdate::mark)
            .or(self.beyond);
        self.released.truncate(keep);
        self.weight = self.released.iter().map(|group| group.weight).sum();
        self.held = self.released.iter().map(|group| group.held).sum();
    }

    /// Whether the groups that a viewer may see reach the bound.
    fn has_enough(&self) -> bool {
        if self.held + self.pacer.bytes() > MAX_HELD_BYTES {
            return true;
        }
        let held: usize = self.pacer.held_groups().map(|group| group.weight).sum();
        if self.weight + held <= self.budget {
            return false;
        }
        let seen = self.pacer.held_groups().filter(|group| self.is_seen(group));
        held > MAX_HELD_SEGMENTS * self.budget
            || self.weight + seen.map(|group| group.weight).sum::<usize>() > self.budget
    }

    fn is_seen(&self, group: &PendingUpdate) -> bool {
        let rooms = rooms_of(group);
        let event = &group.record.event;
        let mut viewers = self.viewers.iter();
        viewers.any(|viewer| viewer.sees(&group.update, event, &rooms))
    }
}

pub(in crate::hub) fn rooms_of(group: &PendingUpdate) -> SmallVec<[Box<str>; 8]> {
    let mut rooms = SmallVec::new();
    event_rooms(&group.record.event, &mut |room| rooms.push(room.into()));
    rooms
}

/// The end of the segment that a cursor is within.
pub(in crate::hub) fn end_of(place: &Cursor) -> Cursor {
    match &place.within {
        None => place.clone(),
        Some(within) => Cursor {
            epoch: place.epoch,
            seq: within.to,
            unsent: within.unsent.clone(),
            within: None,
        },
    }
}
