//! Clients behind the live stream: those that come back with a cursor, and those parked because they read too slowly.
//!
//! ```text
//!  resume, park ─▶ Behind ─▶ Making ─▶ Held ─┐
//!                  ▲  │                      │
//!                  └──┼──────────────────────┘
//!                     └─▶ Live
//! ```
//!
//! - *Behind*: the member stands in the queue with a cursor (`Behind::at`) and holds nothing. A segment that was made a
//!   moment ago from the same place is Held at once.
//! - *Making*: a replay segment from its cursor is being made in another task (`making`). The member stays in the
//!   queue; it may leave, or be reset by another `resume`, and then the segment finds nobody at its beginning. A
//!   failure puts it back to Behind with a rest; the third in a row gives it the state instead.
//! - *Held*: the member is handed the segment as its credit allows (`credit`). Its cursor moves on with each part. At
//!   the end of the segment, or when its filter or rooms change, it is Behind again, further on.
//! - *Live*: the member misses at most [`MAX_LIVE_GAP`] events, and these are in memory. The loop itself makes a
//!   segment of them at one place of the stream, and with it the member is live: no gap and no double. A member that comes
//!   from another node may have updates that this node's windows still hold: it is Behind until they are sent.
//!
//! Members at the same place are served together, and those at many places meet (`meeting`): the journal is read and
//! the updates are written about once for all of them. A member rests until it has taken most of its credit.

pub(super) mod coalesce;
pub(super) mod credit;
mod last_step;
pub(super) mod making;
mod meeting;
mod recent;
mod replay;
#[cfg(test)]
mod tests;

use std::{
    collections::VecDeque,
    sync::Arc,
    time::{Duration, Instant},
};

use tokio::sync::mpsc;

use self::{
    coalesce::end_of,
    making::Made,
    meeting::{Kept, meeting_place},
    recent::Recent,
};
use super::{
    HubOptions, behind::Behind, member::MemberId, roster::Roster, snapshots::Taking, stream::Stream,
};
use crate::{
    channel::Listening,
    config::Recipients,
    delivery::{Cursor, missed::missed},
    journal::Record,
    observe::Metrics,
};

/// The most events that the loop itself makes ready, to bring a client to the present.
const MAX_LIVE_GAP: u64 = 256;
/// The bytes that one step hands out. The writers of these clients have the threads before the next step, so an update of
/// the live stream waits behind a few of them only.
const STEP_BYTES: usize = 128 * 1_024;
/// The cost of an update that is only looked at, in bytes.
const LOOK_COST_BYTES: usize = 32;
/// The most members that one step makes live or gives up: the loop's work for each of them comes after the step.
const STEP_ENDS: usize = 32;
/// The time that one step may take before the live stream has its turn.
const STEP_TIME: Duration = Duration::from_millis(2);
/// The pause between two looks at members that rest.
pub(in crate::hub) const CATCH_UP_INTERVAL: Duration = Duration::from_millis(25);

/// The members that are behind, and the segments that are made for them.
#[derive(Debug)]
pub(in crate::hub) struct CatchUp {
    /// Members that are behind, in the order in which they are looked at. Each member is in it once. A member that is
    /// gone or live again is passed over when its turn comes.
    pub(in crate::hub) queue: VecDeque<MemberId>,
    /// The members that are still to be looked at in this round.
    unseen: usize,
    /// Whether a segment is being made: one at a time.
    pub(in crate::hub) making: bool,
    /// The segments that were made a moment ago.
    pub(in crate::hub) kept: Kept,
    /// Whether a segment was made just now: the member that has waited longest is next.
    pub(in crate::hub) next: bool,
    /// The last ticket in the line for a segment.
    pub(in crate::hub) tickets: u64,
    recent: Recent,
    /// The beginning of the next round.
    pub(in crate::hub) look_at: Instant,
    /// The channel on which the task that makes a segment leaves it.
    pub(in crate::hub) made: mpsc::UnboundedSender<Made>,
    segments: mpsc::UnboundedReceiver<Made>,
    /// Bytes of one part of a snapshot.
    pub(in crate::hub) max_part: usize,
    /// Bytes of updates that are made ready in one go.
    pub(in crate::hub) max_segment: usize,

    /// The observers that are sent texts that are harmless in HTML.
    pub(in crate::hub) sanitize: Recipients,
    pub(in crate::hub) metrics: Arc<Metrics>,
}

/// The consequence of a turn that the loop carries out.
#[derive(Debug)]
pub(in crate::hub) enum Effect {
    /// A member has everything up to this cursor: it is live.
    Live(MemberId, Cursor),
    /// The journal can't tell these members what they missed.
    GiveUp {
        /// The members, in the order of the queue.
        members: Vec<MemberId>,
        /// The place at which all of them stand.
        at: Cursor,
        /// The reason, as the metrics name it.
        why: &'static str,
    },
    /// A member that is being given a large snapshot has room for the next part.
    Part(MemberId),
}

/// One turn for the members that are behind: the roster and the stream stand still meanwhile.
#[derive(Debug)]
pub(in crate::hub) struct CatchUpTurn<'h> {
    catchup: &'h mut CatchUp,
    roster: &'h mut Roster,
    stream: &'h Stream,
    effects: Vec<Effect>,
    /// Members that were made live or given up in this turn.
    ended: usize,
}

impl CatchUp {
    pub(in crate::hub) fn new(options: &HubOptions, metrics: Arc<Metrics>) -> Self {
        let (made, segments) = mpsc::unbounded_channel();
        Self {
            queue: VecDeque::new(),
            unseen: 0,
            making: false,
            kept: Kept::default(),
            next: false,
            tickets: 0,
            recent: Recent::new(options.max_recent),
            look_at: Instant::now(),
            made,
            segments,
            max_segment: options.max_segment,
            max_part: options.snapshot_part,
            sanitize: options.sanitize,
            metrics,
        }
    }

    /// Serves the members that are behind; returns the effects, which the loop carries out in order.
    pub(in crate::hub) fn turn(
        &mut self,
        roster: &mut Roster,
        stream: &Stream,
        work: impl FnOnce(&mut CatchUpTurn<'_>),
    ) -> Vec<Effect> {
        let mut turn = CatchUpTurn {
            catchup: self,
            roster,
            stream,
            effects: Vec::new(),
            ended: 0,
        };
        work(&mut turn);
        turn.effects
    }

    /// Keeps a record in memory for clients that come back.
    pub(in crate::hub) fn remember(&mut self, record: &Arc<Record>) {
        self.recent.push(record.clone());
    }

    /// Forgets all that was read, because the journal went back. A segment that is being made finds nobody to take it.
    pub(in crate::hub) fn begin_anew(&mut self) {
        self.recent = Recent::new(self.recent.max_bytes());
        self.kept = Kept::default();
        (self.made, self.segments) = mpsc::unbounded_channel();
        self.making = false;
    }

    /// Forgets these members, which are in the order of the queue.
    fn forget_all(&mut self, members: &[MemberId]) {
        let mut next = members.iter().peekable();
        self.queue.retain(|id| next.next_if_eq(&id).is_none());
    }

    /// The next segment that was made.
    pub(in crate::hub) async fn segment(&mut self) -> Option<Made> {
        self.segments.recv().await
    }

    /// The time of the next round; none if nobody is behind.
    pub(in crate::hub) fn due(&self) -> Option<Instant> {
        (!self.queue.is_empty()).then_some(self.look_at)
    }
}

impl CatchUpTurn<'_> {
    /// Serves a member that is behind, after the others in the queue. A member that is in the queue keeps its place.
    pub(in crate::hub) fn serve(&mut self, id: MemberId) {
        self.catchup.look_at = Instant::now();
        self.queue_up(id);
    }

    fn queue_up(&mut self, id: MemberId) {
        if let Some(member) = self.roster.get_mut(id)
            && !std::mem::replace(&mut member.queued, true)
        {
            self.catchup.queue.push_back(id);
        }
    }

    fn unqueue(&mut self, id: MemberId) {
        if let Some(member) = self.roster.get_mut(id) {
            member.queued = false;
        }
    }

    /// One step for the members that are behind.
    pub(in crate::hub) fn step(&mut self, now: Instant) {
        let nobody = self.catchup.queue.is_empty();
        self.catchup.kept.forget_old(now, nobody);
        if nobody || now < self.catchup.look_at {
            return;
        }
        if self.catchup.unseen == 0 {
            self.catchup.unseen = self.catchup.queue.len();
        }
        let mut budget = STEP_BYTES;
        if std::mem::take(&mut self.catchup.next)
            && let Some((id, at)) = self.first_of_waiting(now)
        {
            self.bring_on(id, &at, &mut budget);
        }
        while let Some(&id) = self.catchup.queue.front() {
            if self.catchup.unseen == 0 {
                break;
            }
            self.catchup.unseen -= 1;
            if self.catchup.making && self.has_ticket(id) {
                self.catchup.queue.rotate_left(1);
                continue;
            }
            let Some((at, holds, ready)) = self.look_at(id, now) else {
                self.catchup.queue.pop_front();
                self.unqueue(id);
                continue;
            };
            self.catchup.queue.rotate_left(1);
            if !ready {
                continue;
            }
            if let Some(has_part) = self.has_part(id) {
                self.effects.push(Effect::Part(id));
                if !has_part {
                    continue;
                }
                budget = budget.saturating_sub(self.catchup.max_part);
            } else if holds {
                budget = budget.saturating_sub(self.hand_over(id));
            } else {
                self.bring_on(id, &at, &mut budget);
            }
            let is_much = self.ended >= STEP_ENDS;
            if budget == 0 || is_much || now.elapsed() > STEP_TIME {
                return;
            }
        }
        self.catchup.unseen = 0;
        self.catchup.look_at = Instant::now() + CATCH_UP_INTERVAL;
    }

    /// The place of a member, whether it holds a part of a segment, and whether it has room for more. None for a member
    /// that is not behind.
    pub(in crate::hub) fn look_at(
        &mut self,
        id: MemberId,
        now: Instant,
    ) -> Option<(Cursor, bool, bool)> {
        let member = self.roster.get_mut(id)?;
        let behind = member.behind.as_mut()?;
        let ready = member.outlet.has_room() && behind.credit.has_room(member.outlet.waiting());
        behind.credit.look(ready, now);
        let ready = ready && behind.has_rested(now);
        Some((behind.at.clone(), behind.held.is_some(), ready))
    }

    /// Whether a member waits for a segment: while another one is being made, a look at it would find nothing new.
    fn has_ticket(&self, id: MemberId) -> bool {
        let behind = self.roster.get(id).and_then(|m| m.behind.as_ref());
        behind.is_some_and(|behind| behind.has_ticket())
    }

    /// Whether the next part of the snapshot that a member is being given is written. One that is still to be made costs a
    /// step nothing, and wakes the loop when it is there. None for a member that is given no snapshot.
    fn has_part(&self, id: MemberId) -> Option<bool> {
        let behind = self.roster.get(id)?.behind.as_ref()?;
        behind.taking.as_ref().map(Taking::has_part)
    }

    /// Brings the members at `at` closer: to the present if that is near, else by a segment that another task makes.
    fn bring_on(&mut self, id: MemberId, at: &Cursor, budget: &mut usize) {
        let topics = self.roster.get(id).map(|m| self.roster.topics(m));
        let to = self.stream.cursor();
        if at.within.is_some() {
            match self.stream.is_gone(at) {
                true => self.give_up_all_at(at),
                false => self.make_segment(id, at, &end_of(at), None),
            }
            return;
        }
        let ranges = missed(at, &to, MAX_LIVE_GAP + 1);
        let count: u64 = ranges.iter().map(|(_, len)| len).sum();
        if count > 0 && self.stream.is_gone(at) {
            self.give_up_all_at(at);
            return;
        }
        // Another node has sent it updates that this one's windows still hold. Live, it would get them again.
        let ahead = self.stream.is_ahead(at);
        if ahead && count == 0 {
            return;
        }
        let close = !ahead && count <= MAX_LIVE_GAP;
        match close.then(|| self.catchup.recent.get(&ranges)).flatten() {
            Some(records) => self.last_segment(at, &to, &records, topics, budget),
            None => {
                if self.take_kept(id, at) {
                    *budget = budget.saturating_sub(self.hand_over(id));
                    return;
                }
                let edge = self.stream.all_sent_up_to();
                // Far behind, the segment ends where nothing is unsent, because cursors to such a place are short.
                let far = edge > at.seq + MAX_LIVE_GAP;
                let clean = Cursor::at(to.epoch, edge.min(to.seq));
                let meets = far && !self.catchup.making && self.is_crowded();
                let meeting = meets.then(|| meeting_place(at)).flatten();
                let end = match meeting.filter(|place| *place <= clean.seq) {
                    Some(place) => Cursor::at(to.epoch, place),
                    None if far => clean,
                    None => to.readable(),
                };
                self.make_segment(id, at, &end, topics);
            }
        }
    }

    /// A member that is behind, has room and holds nothing, if it stands at such a place.
    pub(in crate::hub) fn waiting(
        &self,
        id: MemberId,
        at: impl FnOnce(&Cursor) -> bool,
    ) -> Option<&Behind> {
        let member = self.roster.get(id)?;
        let behind = member.behind.as_deref()?;
        // The outlet is asked last, because it locks its queue.
        let waits = behind.held.is_none()
            && behind.taking.is_none()
            && at(&behind.at)
            && member.outlet.has_room()
            && behind.credit.has_room(member.outlet.waiting());
        waits.then_some(behind)
    }

    /// The members at `at` that have room and hold nothing, in the order of the queue; with `topics`, only those that
    /// listen to just these.
    pub(in crate::hub) fn cohort(&self, at: &Cursor, topics: Option<Listening>) -> Vec<MemberId> {
        let listens = |id| self.roster.get(id).map(|m| self.roster.topics(m));
        let fits = |id: &&MemberId| {
            self.waiting(**id, |place| place == at).is_some()
                && topics.is_none_or(|topics| listens(**id) == Some(topics))
        };
        self.catchup.queue.iter().filter(fits).copied().collect()
    }

    /// Takes these members out of the queue.
    pub(in crate::hub) fn take_cohort(
        &mut self,
        at: &Cursor,
        topics: Option<Listening>,
    ) -> Vec<MemberId> {
        let cohort = self.cohort(at, topics);
        self.catchup.forget_all(&cohort);
        for id in &cohort {
            self.unqueue(*id);
        }
        cohort
    }

    /// Gives up the members at this place: the journal no longer holds what they missed.
    fn give_up_all_at(&mut self, at: &Cursor) {
        let members = self.take_cohort(at, None);
        self.ended += members.len();
        self.effects.push(Effect::GiveUp {
            members,
            at: at.clone(),
            why: "trimmed",
        });
    }
}
