//! Writes a segment of the stream for those who have not seen it: once, for all who stand at the same place.
//!
//! `coalesce` decides which updates a segment has. Here each update that a viewer may see is rendered, with the cursor
//! after it: the two ends of the segment, and the update's id. So the segment can be handed out in parts, and a client
//! that leaves in the middle comes back to the same place of the same segment.

use std::sync::Arc;

use smallvec::SmallVec;

use super::coalesce::{CoalescedSegment, rooms_of};
use crate::hub::viewer::Viewer;
use crate::{
    channel::Listening,
    config::Recipients,
    delivery::{Cursor, Form, Outgoing, SegmentPosition},
    pace::PendingUpdate,
    update::{Destination, Envelope, Shapes, UpdateId},
};

/// A replay segment: the written updates from one cursor to another.
#[derive(Debug)]
pub(in crate::hub) struct ReplaySegment {
    /// The cursor of the members before it.
    pub(in crate::hub) from: Cursor,
    /// The cursor of the members after it.
    pub(in crate::hub) end: Cursor,
    /// The audiences that it is for; updates name them by number.
    pub(in crate::hub) viewers: Arc<[Viewer]>,
    /// The updates that a viewer may see, in order.
    pub(in crate::hub) updates: Vec<Replayed>,
    /// The end of the whole segment, of which this may be the first part only.
    to: Cursor,
    /// The settings that it was built by; a cursor within it names them.
    by: By,
}

/// The settings that the updates of a segment depend on beside its ends.
#[derive(Debug, Clone, Copy)]
struct By {
    topics: Listening,
    /// A number that changes with the rules by which updates are grouped.
    grouping: u32,
}

/// One update of a segment.
#[derive(Debug)]
pub(in crate::hub) struct Replayed {
    mark: UpdateId,
    /// A bit for each viewer that sees it.
    seen: SmallVec<[u64; 1]>,
    /// The rooms that a rule names: of the viewers, only members of one of these get it.
    pub(in crate::hub) rooms: Option<Box<[Box<str>]>>,
    /// Whether an emission is not for rooms that are one client's own.
    pub(in crate::hub) skips_own_rooms: bool,
    /// Whether it changes a layout, for batches.
    pub(in crate::hub) layout: bool,
    pub(in crate::hub) outgoing: Outgoing,
}

impl Replayed {
    /// Whether the viewer with this number sees it.
    pub(in crate::hub) fn is_seen_by(&self, viewer: usize) -> bool {
        self.seen
            .get(viewer / 64)
            .is_some_and(|bits| bits & 1 << (viewer % 64) != 0)
    }
}

impl ReplaySegment {
    /// The cursor of a client that has this many of its updates.
    pub(in crate::hub) fn after(&self, updates: usize) -> Cursor {
        match updates.checked_sub(1).map(|at| self.updates[at].mark) {
            None => self.from.clone(),
            Some(_) if updates == self.updates.len() => self.end.clone(),
            Some(mark) => within(&self.from, &self.to, mark, self.by),
        }
    }

    /// The bytes of text that its updates have.
    pub(in crate::hub) fn bytes(&self) -> usize {
        let updates = self.updates.iter();
        updates.map(|update| update.outgoing.json.len()).sum()
    }

    /// The bytes of the updates that a viewer sees, counted up to `most`.
    pub(in crate::hub) fn weight(&self, viewer: usize, most: usize) -> usize {
        let form = Form {
            shape: self.viewers[viewer].shape,
            ..Form::default()
        };
        let mut bytes = 0;
        for update in &self.updates {
            if update.is_seen_by(viewer) {
                bytes += update.outgoing.form(form).json.len();
            }
            if bytes > most {
                break;
            }
        }
        bytes
    }
}

/// Writes the updates of a segment, but no more than about `max_bytes`: the rest is for the next time.
pub(in crate::hub) fn write(
    coalesced: CoalescedSegment,
    grouping: u32,
    max_bytes: usize,
    sanitize: Recipients,
) -> ReplaySegment {
    let CoalescedSegment {
        viewers,
        from,
        to,
        topics,
        groups,
        whole,
    } = coalesced;
    let by = By { topics, grouping };
    let place = |mark| within(&from, &to, mark, by);
    let (mut updates, mut bytes) = (Vec::with_capacity(groups.len()), 0);
    // While windows hold more than a cursor can name, a client that leaves in the middle begins the segment again: it
    // gets some updates twice, and loses none.
    let named = to.is_readable();
    let last = to.clone().readable().to_string();
    let first = from.clone().readable().to_string();
    let mut left = groups.len();
    for group in groups {
        if bytes > max_bytes {
            break;
        }
        left -= 1;
        let cursor = match group.mark() {
            _ if whole && left == 0 => last.clone(),
            mark if named => place(mark).to_string(),
            _ => first.clone(),
        };
        let update = write_update(&group, &viewers, &cursor, sanitize);
        bytes += update.outgoing.json.len();
        updates.push(update);
    }
    let end = match updates.last() {
        Some(last) if left > 0 || !whole => place(last.mark),
        _ => to.clone(),
    };
    ReplaySegment {
        from,
        end,
        viewers,
        updates,
        to,
        by,
    }
}

fn within(from: &Cursor, to: &Cursor, sent: UpdateId, by: By) -> Cursor {
    Cursor {
        // All places of `from` are places of the generation that `to` is of, and not the other way round.
        epoch: to.epoch,
        within: Some(Box::new(SegmentPosition {
            to: to.seq,
            unsent: to.unsent.clone(),
            sent,
            topics: by.topics.bits(),
            grouping: by.grouping,
        })),
        ..from.clone()
    }
}

fn write_update(
    group: &PendingUpdate,
    viewers: &[Viewer],
    cursor: &str,
    sanitize: Recipients,
) -> Replayed {
    let rooms = rooms_of(group);
    let (planned, event) = (&group.update, &*group.record.event);
    let mut seen: SmallVec<[u64; 1]> = SmallVec::from_elem(0, viewers.len().div_ceil(64));
    for (at, viewer) in viewers.iter().enumerate() {
        if viewer.sees(planned, event, &rooms) {
            seen[at / 64] |= 1 << (at % 64);
        }
    }
    let envelope = Envelope {
        cursor,
        coalesced: group.coalesced(),
        data: group.data.as_ref(),
        since: group.since,
    };
    let sees = |at: usize| seen[at / 64] & 1 << (at % 64) != 0;
    let shapes = Shapes::of(
        viewers
            .iter()
            .enumerate()
            .filter(|(at, _)| sees(*at))
            .map(|(_, viewer)| viewer.shape),
    );
    let outgoing = Outgoing::of_plan(planned, event, &envelope, shapes.first(), sanitize)
        .sent_by(group.by.connection)
        .in_order(group.priority, group.entities.clone());
    let outgoing = match shapes.are_both() {
        true => outgoing.with_lean(planned, event, &envelope, sanitize),
        false => outgoing,
    };
    Replayed {
        mark: group.mark(),
        seen,
        rooms: match &planned.destination {
            Destination::Rooms(rooms) => Some(rooms.iter().map(|r| r.as_str().into()).collect()),
            Destination::EventRooms | Destination::Addressed | Destination::Topic(_) => None,
        },
        skips_own_rooms: event.settled.confined,
        layout: planned.kind.changes_layout(event),
        outgoing,
    }
}
