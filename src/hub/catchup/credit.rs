//! Hands segments out, to each client as much as it takes.
//!
//! Updates in a client's queue are no longer coalesced with later ones. So a client that reads slowly is given little
//! at a time; the rest of its segment waits here, in one copy for all members at the same place. A client that reads
//! its credit at once gets twice as much the next time.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use super::{CATCH_UP_INTERVAL, CatchUpTurn, LOOK_COST_BYTES, replay::ReplaySegment};
use crate::hub::{
    delivery::{Batch, send_in_batches},
    member::MemberId,
};

/// The smallest credit: a few updates, so that the connection is never idle.
const MIN_CREDIT_BYTES: usize = 4 * 1_024;
/// The first credit of a client whose speed is not known.
const FIRST_CREDIT_BYTES: usize = 16 * 1_024;
/// A client that has not read its credit after this time gets half as much the next time.
const SLOW_CREDIT_TIME: Duration = Duration::from_millis(500);

/// A segment on its way to one client.
#[derive(Debug)]
pub(in crate::hub) struct Held {
    /// Shared by all members that were at its beginning.
    segment: Arc<ReplaySegment>,
    /// The number of this client among the segment's viewers.
    viewer: usize,
    /// The first update that was not handed out.
    next: usize,
}

impl Held {
    pub(in crate::hub) fn new(segment: Arc<ReplaySegment>, viewer: usize) -> Self {
        Self {
            segment,
            viewer,
            next: 0,
        }
    }

    /// Whether it holds no updates, so that it ends where it begins.
    pub(in crate::hub) fn is_empty(&self) -> bool {
        self.segment.updates.is_empty()
    }

    pub(in crate::hub) fn segment(&self) -> &ReplaySegment {
        &self.segment
    }
}

/// The bytes that one client is given at a time: more to a fast reader, less to a slow one.
#[derive(Debug)]
pub(in crate::hub) struct Credit {
    bytes: usize,
    /// The time at which it was last given some, or was found to have too much.
    since: Instant,
    /// Whether a look found that it had not read all of it.
    rested: bool,
}

impl Credit {
    /// The credit of a client that comes back: nothing is known of its speed.
    pub(in crate::hub) fn first() -> Self {
        Self {
            bytes: FIRST_CREDIT_BYTES,
            since: Instant::now(),
            rested: true,
        }
    }

    /// The credit of a client that was parked: it reads slowly.
    pub(in crate::hub) fn least() -> Self {
        Self {
            bytes: MIN_CREDIT_BYTES,
            ..Self::first()
        }
    }

    pub(in crate::hub) fn bytes(&self) -> usize {
        self.bytes
    }

    /// Lets the client have the rest at once, whatever its size.
    pub(in crate::hub) fn unbound(&mut self) {
        self.bytes = usize::MAX;
    }

    /// Whether so little waits that the next may be given.
    pub(in crate::hub) fn has_room(&self, waiting: usize) -> bool {
        waiting <= self.bytes / 2
    }

    /// Notes a look at the client: whether it is `ready` for the next part.
    pub(in crate::hub) fn look(&mut self, ready: bool, now: Instant) {
        let after = now.saturating_duration_since(self.since);
        if ready || after < CATCH_UP_INTERVAL {
            return;
        }
        self.rested = true;
        if after > SLOW_CREDIT_TIME {
            self.bytes = (self.bytes / 2).max(MIN_CREDIT_BYTES);
            self.since = now;
        }
    }

    /// The bytes of the next part; `most` is the limit for every client.
    fn next(&mut self, most: usize) -> usize {
        if !self.rested && self.bytes < most {
            self.bytes *= 2;
        }
        self.rested = false;
        self.since = Instant::now();
        self.bytes
    }
}

impl CatchUpTurn<'_> {
    /// Gives a member the next part of the segment that it holds; returns the bytes that this costs of a step.
    pub(in crate::hub) fn hand_over(&mut self, id: MemberId) -> usize {
        let most = self.catchup.max_segment;
        let Some(behind) = self.roster.get_mut(id).and_then(|m| m.behind.as_mut()) else {
            return 0;
        };
        let Some(mut held) = behind.held.take() else {
            return 0;
        };
        let credit = behind.credit.next(most);
        // The member joined a room or changed its filter: the rest of the segment is made anew for it, from its place.
        let segment = held.segment.clone();
        if !self.roster.sees_as(id, &segment.viewers[held.viewer]) {
            return LOOK_COST_BYTES;
        }
        let (mut bytes, mut updates, mut looked) = (0, 0, 0);
        let mut batch = Batch::new();
        while let Some(update) = segment.updates.get(held.next)
            && bytes < credit
        {
            held.next += 1;
            looked += 1;
            let Some(member) = self.roster.get(id) else {
                return 0;
            };
            let is_in = |room: &str| member.rooms.iter().any(|r| **r == *room);
            let reached = update.rooms.as_ref();
            let emission = update.outgoing.emission();
            let skips = update.skips_own_rooms;
            if !update.is_seen_by(held.viewer)
                || emission.is_some_and(|emission| !member.is_addressed(emission, skips))
                || reached.is_some_and(|rooms| !rooms.iter().any(|room| is_in(room)))
            {
                continue;
            }
            let outgoing = member.form_of(&update.outgoing);
            bytes += outgoing.json.len();
            updates += 1;
            if member.batch.is_none() {
                member.outlet.send(outgoing);
            } else {
                batch.push((outgoing, update.layout));
            }
        }
        if let Some(member) = self.roster.get(id) {
            send_in_batches(member, &batch);
        }
        self.roster.touch(id);
        self.catchup.metrics.replayed(updates);
        if let Some(behind) = self.roster.get_mut(id).and_then(|m| m.behind.as_mut()) {
            behind.replayed += updates;
            behind.at = segment.after(held.next);
            behind.held = (held.next < segment.updates.len()).then_some(held);
        }
        looked * LOOK_COST_BYTES + bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_portion_grows_while_it_is_taken_at_once_and_shrinks_while_it_is_not() {
        const MOST: usize = 100 * 1_024;
        let mut credit = Credit::least();
        assert_eq!(credit.next(MOST), MIN_CREDIT_BYTES, "nothing is known yet");
        let given = credit.since;
        credit.look(true, given + CATCH_UP_INTERVAL);
        assert_eq!(credit.next(MOST), 2 * MIN_CREDIT_BYTES);
        for _ in 0..10 {
            credit.next(MOST);
        }
        let large = credit.bytes();
        assert!((MOST..2 * MOST).contains(&large), "{large}");
        let given = credit.since;
        credit.look(false, given + CATCH_UP_INTERVAL / 2);
        assert!(!credit.rested, "it had no time yet");
        credit.look(false, given + CATCH_UP_INTERVAL);
        assert_eq!(credit.next(MOST), large, "it was slower than that");
        let mut now = credit.since;
        for _ in 0..20 {
            now += SLOW_CREDIT_TIME * 2;
            credit.look(false, now);
        }
        assert_eq!(credit.bytes(), MIN_CREDIT_BYTES);
        assert!(credit.has_room(MIN_CREDIT_BYTES / 2) && !credit.has_room(MIN_CREDIT_BYTES));
    }
}
