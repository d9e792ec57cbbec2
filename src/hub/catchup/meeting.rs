//! Meeting places: how clients that were left at many different places come to share replay segments.
//!
//! A segment is named by its two ends, so its end may be chosen freely: every choice is exact. With a few places each
//! client goes to the present in one segment, of which as much as possible is coalesced. With many places that would be
//! one pass over the journal for each, so all clients go from meeting place to meeting place. A first, short segment
//! leads to the next multiple of [`FIRST_SEGMENT_GRID`]; clients on their way to the same one share its reading. From
//! there on each segment goes to the next place whose number has more zeros at its end: 64, 128, 256 and so on. Clients
//! from everywhere pass the same few places, and a segment from one of them serves all clients that come there. All
//! these segments together are about half a pass for each power of two between [`FIRST_SEGMENT_GRID`] and what was
//! missed, and a client gets at most one for each power.
//!
//! Segments are kept for a moment: a client that comes a little later to the beginning of one is given the same.

use std::{
    collections::{HashMap, VecDeque},
    sync::Arc,
    time::{Duration, Instant},
};

use smallvec::SmallVec;

use super::{CatchUpTurn, credit::Held, replay::ReplaySegment};
use crate::hub::{
    behind::Behind,
    member::MemberId,
    viewer::{Viewer, ViewerKey},
};
use crate::{
    channel::Listening,
    delivery::{Cursor, missed::first_missed},
    journal::Seq,
};

/// The distance of the places to which first segments lead.
const FIRST_SEGMENT_GRID: Seq = 64;
/// A first segment with more than this before its end is made alone.
const MAX_SHARED_FIRST_SEGMENT: Seq = 2 * FIRST_SEGMENT_GRID;
/// The most first segments that are made together.
const MAX_FIRST_SEGMENTS: usize = FIRST_SEGMENT_GRID as usize;
/// With no more places than this, each client goes by itself.
const MAX_PLACES_APART: usize = 4;
/// The time that a segment is kept for clients that come later.
const KEPT_SEGMENT_LIFETIME: Duration = Duration::from_secs(5);
/// The most bytes of text that are kept.
const MAX_KEPT_BYTES: usize = 4 << 20;
/// The most segments that are kept.
const MAX_KEPT_SEGMENTS: usize = 64;

/// The place at which clients from `at` meet others. None at the very beginning, where all of them are together
/// already.
pub(in crate::hub) fn meeting_place(at: &Cursor) -> Option<Seq> {
    let next = at.seq.next_multiple_of(FIRST_SEGMENT_GRID);
    if next > at.seq || !at.unsent.is_empty() {
        return Some(next);
    }
    (at.seq > 0).then(|| at.seq + (1 << at.seq.trailing_zeros()))
}

fn is_short(at: &Cursor, end: Seq) -> bool {
    at.within.is_none() && first_missed(at) + MAX_SHARED_FIRST_SEGMENT > end
}

/// Segments that were made a moment ago.
#[derive(Debug, Default)]
pub(in crate::hub) struct Kept {
    segments: VecDeque<KeptSegment>,
    bytes: usize,
}

#[derive(Debug)]
struct KeptSegment {
    segment: Arc<ReplaySegment>,
    viewers: HashMap<ViewerKey, usize>,
    bytes: usize,
    made: Instant,
}

impl Kept {
    /// Keeps a segment, unless it leads nowhere.
    pub(in crate::hub) fn keep(
        &mut self,
        segment: Arc<ReplaySegment>,
        viewers: HashMap<ViewerKey, usize>,
    ) {
        if segment.end.seq <= segment.from.seq && segment.end.within.is_none() {
            return;
        }
        let bytes = segment.bytes();
        self.bytes += bytes;
        self.segments.push_back(KeptSegment {
            segment,
            viewers,
            bytes,
            made: Instant::now(),
        });
        while self.bytes > MAX_KEPT_BYTES || self.segments.len() > MAX_KEPT_SEGMENTS {
            self.drop_first();
        }
    }

    /// Forgets segments that are too old, or all of them once nobody is behind.
    pub(in crate::hub) fn forget_old(&mut self, now: Instant, all: bool) {
        while let Some(first) = self.segments.front()
            && (all || now.saturating_duration_since(first.made) > KEPT_SEGMENT_LIFETIME)
        {
            self.drop_first();
        }
    }

    fn drop_first(&mut self) {
        let gone = self.segments.pop_front();
        self.bytes -= gone.map_or(self.bytes, |gone| gone.bytes);
    }

    /// The newest segment from this place for this viewer.
    fn find(&self, at: &Cursor, viewer: impl FnOnce() -> Option<Viewer>) -> Option<Held> {
        let mut from_here = self.segments.iter().rev().filter(|k| k.segment.from == *at);
        let mut next = from_here.next()?;
        let key = viewer()?.key();
        loop {
            if let Some(number) = next.viewers.get(&key) {
                return Some(Held::new(next.segment.clone(), *number));
            }
            next = from_here.next()?;
        }
    }
}

impl CatchUpTurn<'_> {
    /// Gives a member a segment that was made for others a moment ago, if one begins where it stands.
    pub(in crate::hub) fn take_kept(&mut self, id: MemberId, at: &Cursor) -> bool {
        let Some(held) = self.catchup.kept.find(at, || self.roster.viewer(id)) else {
            return false;
        };
        let behind = self.roster.get_mut(id).and_then(|m| m.behind.as_mut());
        behind.map(|behind| behind.hold(held)).is_some()
    }

    /// Whether the members that are behind are at so many places that they had better meet.
    pub(in crate::hub) fn is_crowded(&self) -> bool {
        let mut places: SmallVec<[Seq; MAX_PLACES_APART]> = SmallVec::new();
        for id in &self.catchup.queue {
            let behind = self.roster.get(*id).and_then(|m| m.behind.as_ref());
            let Some(at) = behind.map(|behind| behind.at.seq) else {
                continue;
            };
            if !places.contains(&at) {
                if places.len() == MAX_PLACES_APART {
                    return true;
                }
                places.push(at);
            }
        }
        false
    }

    /// The places from which segments to `end` are made together, `at` first, and the members that wait there.
    pub(in crate::hub) fn who_meets_at(
        &self,
        at: &Cursor,
        end: &Cursor,
        topics: Option<Listening>,
    ) -> (Vec<Cursor>, Vec<MemberId>) {
        let mut places = vec![at.clone()];
        let goes_on = |place: &Cursor| {
            end.unsent.is_empty()
                && is_short(place, end.seq)
                && meeting_place(place) == Some(end.seq)
        };
        // Members that failed together are tried alone: perhaps only one of them misses what can't be read.
        let alone = |id| self.waiting(id, |_| true).is_some_and(Behind::has_failed);
        let mut at_place = self.cohort(at, topics);
        if !goes_on(at) || at_place.iter().any(|id| alone(*id)) {
            return (places, at_place);
        }
        for &id in &self.catchup.queue {
            let joins =
                |place: &Cursor| goes_on(place) && place != at && !self.stream.is_gone(place);
            let Some(behind) = self
                .waiting(id, joins)
                .filter(|behind| !behind.has_failed())
            else {
                continue;
            };
            let place = &behind.at;
            let member = self.roster.get(id);
            if member.is_none_or(|m| Some(self.roster.topics(m)) != topics) {
                continue;
            }
            if !places.contains(place) {
                if places.len() == MAX_FIRST_SEGMENTS {
                    continue;
                }
                places.push(place.clone());
            }
            at_place.push(id);
        }
        (places, at_place)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::{delivery::Run, journal::Epoch};

    fn at(seq: Seq) -> Cursor {
        Cursor::at(Epoch(9), seq)
    }

    #[test]
    fn all_pass_the_same_few_places() {
        const MISSED: Seq = 20_000;
        let (mut passes, mut segments, mut most) = (0, BTreeSet::new(), 0);
        for start in (3..MISSED).step_by(4) {
            let (mut place, mut steps) = (start, 0);
            while place < MISSED {
                let next = meeting_place(&at(place)).expect("a place");
                let next = if next > MISSED { MISSED } else { next };
                assert!(next > place);
                if place % FIRST_SEGMENT_GRID == 0 && segments.insert((place, next)) {
                    passes += next - place;
                }
                place = next;
                steps += 1;
            }
            most = steps.max(most);
        }
        assert!(passes < 8 * MISSED, "{passes}");
        assert!(most < 16, "{most}");
    }

    #[test]
    fn what_is_owed_is_made_up_for_first() {
        let unsent = Run {
            start: 120,
            len: 1,
            unsent: 1,
        };
        let place = Cursor {
            unsent: [unsent].into_iter().collect(),
            ..at(128)
        };
        assert_eq!(meeting_place(&place), Some(128));
        assert_eq!(meeting_place(&at(128)), Some(256));
        assert_eq!(meeting_place(&at(129)), Some(192));
        assert_eq!(meeting_place(&at(0)), None);
        assert!(is_short(&place, 128) && !is_short(&place, 300));
    }
}
