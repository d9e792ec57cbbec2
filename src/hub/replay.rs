//! Writes a stretch of the stream for those who have not seen it: once, for all who stand at the same place.
//!
//! What it holds is `gather`'s affair. Here each update that somebody may see is rendered, with the cursor that names the
//! place after it: the two ends of the stretch and the group that it belongs to. So it can be handed out piece by piece, and
//! whoever leaves in the middle comes back to the same place of the same stretch.

use std::sync::Arc;

use smallvec::SmallVec;

use super::{
    Outgoing,
    eye::Eye,
    gather::{Gathered, rooms_of},
};
use crate::{
    journal::{Cursor, Seq, Within},
    pace::Group,
    update::{Audience, Listening, Stamp, render},
};

/// A part of what was missed.
#[derive(Debug)]
pub(super) struct Stretch {
    /// Where they stand before it.
    pub(super) from: Cursor,
    /// Where they stand after it.
    pub(super) end: Cursor,
    /// Who looks at it; updates name them by number.
    pub(super) eyes: Arc<[Eye]>,
    /// What somebody may see, in order.
    pub(super) groups: Vec<Bundle>,
    /// The end of all of it, of which this may be the first part only.
    to: Cursor,
    /// By what it was gathered.
    by: By,
}

/// What the groups of a stretch depend on beside its ends.
#[derive(Debug, Clone, Copy)]
struct By {
    /// The topics that it was planned for.
    topics: Listening,
    /// Stands for the rules.
    grouping: u32,
}

/// The updates of one group.
#[derive(Debug)]
pub(super) struct Bundle {
    /// Which group.
    mark: (Seq, u8),
    /// In order.
    pub(super) updates: SmallVec<[Replayed; 1]>,
}

/// One update of a stretch.
#[derive(Debug)]
pub(super) struct Replayed {
    /// A bit for each eye that sees it.
    seen: SmallVec<[u64; 1]>,
    /// A rule's own rooms: of those who see it, only the members of one of these get it.
    pub(super) rooms: Option<Box<[Box<str>]>>,
    /// Whether it changes a layout, for batches.
    pub(super) layout: bool,
    /// With the cursor after its group, for those who see no later one of the group.
    pub(super) last: Outgoing,
    /// With the cursor before it, for the others; none where the group has no later one.
    pub(super) earlier: Option<Outgoing>,
}

impl Replayed {
    /// Whether the eye with this number sees it.
    pub(super) fn is_seen_by(&self, eye: usize) -> bool {
        self.seen
            .get(eye / 64)
            .is_some_and(|bits| bits & 1 << (eye % 64) != 0)
    }
}

impl Stretch {
    /// Where one stands who got so many of its groups.
    pub(super) fn after(&self, groups: usize) -> Cursor {
        match groups.checked_sub(1).map(|at| self.groups[at].mark) {
            None => self.from.clone(),
            Some(_) if groups == self.groups.len() => self.end.clone(),
            Some(mark) => within(&self.from, &self.to, mark, self.by),
        }
    }

    /// How many bytes of it an eye sees, counted up to `most`.
    pub(super) fn weight(&self, eye: usize, most: usize) -> usize {
        let mut bytes = 0;
        for update in self.groups.iter().flat_map(|group| &group.updates) {
            if update.is_seen_by(eye) {
                bytes += update.last.json.len();
            }
            if bytes > most {
                break;
            }
        }
        bytes
    }
}

/// Writes what was gathered, but no more than about `max_bytes`: the rest is for the next time.
pub(super) fn write(gathered: Gathered, grouping: u32, max_bytes: usize) -> Stretch {
    let Gathered {
        eyes,
        from,
        to,
        topics,
        groups,
        newest,
    } = gathered;
    let by = By { topics, grouping };
    let place = |mark| within(&from, &to, mark, by);
    // Everything is sent once the last group of all is, whoever sees that.
    let after = |mark| {
        if newest == Some(mark) {
            to.clone()
        } else {
            place(mark)
        }
    };
    let (mut bundles, mut bytes) = (Vec::with_capacity(groups.len()), 0);
    let mut before = from.to_string();
    let mut left = groups.len();
    for group in groups {
        if bytes > max_bytes {
            break;
        }
        left -= 1;
        let mark = group.mark();
        let cursor = after(mark).to_string();
        let bundle = write_group(&group, &eyes, &before, &cursor);
        bytes += bundle
            .updates
            .iter()
            .map(|update| update.last.json.len())
            .sum::<usize>();
        bundles.push(bundle);
        before = cursor;
    }
    let end = match bundles.last() {
        Some(last) if left > 0 || newest.is_none() => place(last.mark),
        _ => to.clone(),
    };
    Stretch {
        from,
        end,
        eyes,
        groups: bundles,
        to,
        by,
    }
}

fn within(from: &Cursor, to: &Cursor, sent: (Seq, u8), by: By) -> Cursor {
    Cursor {
        within: Some(Box::new(Within {
            to: to.seq,
            owed: to.owed.clone(),
            sent,
            topics: by.topics.bits(),
            grouping: by.grouping,
        })),
        ..from.clone()
    }
}

fn write_group(group: &Group, eyes: &[Eye], before: &str, after: &str) -> Bundle {
    let rooms = rooms_of(group);
    let event = &group.record.event;
    let last = group.updates.len() - 1;
    let mut updates = SmallVec::new();
    for (n, planned) in group.updates.iter().enumerate() {
        let mut seen: SmallVec<[u64; 1]> = SmallVec::from_elem(0, eyes.len().div_ceil(64));
        for (at, eye) in eyes.iter().enumerate() {
            if eye.sees(planned, event, &rooms) {
                seen[at / 64] |= 1 << (at % 64);
            }
        }
        if seen.iter().all(|bits| *bits == 0) {
            continue;
        }
        let outgoing = |cursor: &str, last: bool| {
            let stamp = Stamp {
                cursor,
                coalesced: group.coalesced(),
                merged: group.merged.as_ref(),
            };
            let json = render(planned, event, &stamp);
            Outgoing::new(planned.kind.namespace(), planned.kind.name(), json)
                .at(cursor)
                .of_stream(last)
        };
        updates.push(Replayed {
            seen,
            rooms: match &planned.audience {
                Audience::Rooms(rooms) => Some(rooms.iter().map(|r| r.as_str().into()).collect()),
                Audience::EventRooms | Audience::Topic(_) => None,
            },
            layout: planned.kind.changes_layout(event),
            earlier: (n < last).then(|| outgoing(before, false)),
            last: outgoing(after, true),
        });
    }
    Bundle {
        mark: group.mark(),
        updates,
    }
}
