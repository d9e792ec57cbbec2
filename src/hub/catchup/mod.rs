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
//! - *Making*: a replay segment from its cursor is being made aside (`making`). It stays in the queue; it may leave, or be
//!   reset by another `resume`, and then the segment finds nobody at its beginning. A failure puts it back to Behind
//!   with a rest; the third in a row gives it the state instead.
//! - *Held*: it is handed the segment as its credit allows (`credit`). With each its cursor moves on; at the end, or when it sees
//!   something else, it is Behind again, further on.
//! - *Live*: what it misses is at most [`MAX_LIVE_GAP`] events that are at hand. These are made in the loop, at one place of the
//!   stream, and with them the member is live: no gap and no double.
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
use super::{HubOptions, behind::Behind, member::MemberId, roster::Roster, stream::Stream};
use crate::{
    channel::Listening,
    config::Recipients,
    delivery::{Cursor, missed::missed},
    journal::Record,
    observe::Metrics,
};

/// The most events that the loop itself makes ready, to bring a client to the present.
const MAX_LIVE_GAP: u64 = 256;
/// Deliveries between two flushes of the live stream.
const STEP_DELIVERIES: usize = 16_384;
/// The most members that one step makes live or gives up: the loop's work for each of them is not in the step's time.
const STEP_ENDS: usize = 32;
/// The time that one step may take before the live stream has its turn.
const STEP_TIME: Duration = Duration::from_millis(2);
/// The pause between two looks at members that rest.
pub(in crate::hub) const CATCH_UP_INTERVAL: Duration = Duration::from_millis(25);

/// The members that are behind, and the segments that are made for them.
#[derive(Debug)]
pub(in crate::hub) struct CatchUp {
    /// Members that are behind, in the order in which they are looked at. Each stands in it once; one that is gone, or live
    /// again, is passed over when its turn comes.
    pub(in crate::hub) queue: VecDeque<MemberId>,
    /// The number of them that are still to be looked at in this round.
    unseen: usize,
    /// A segment is being made.
    pub(in crate::hub) making: bool,
    /// Those that were made a moment ago.
    pub(in crate::hub) kept: Kept,
    /// One was made just now: whoever waits longest is next.
    pub(in crate::hub) next: bool,
    /// The number of the last that began to wait for one.
    pub(in crate::hub) tickets: u64,
    /// The newest records, for the last step to the present.
    recent: Recent,
    /// When the next round begins.
    pub(in crate::hub) look_at: Instant,
    /// The channel on which the task that makes a segment leaves it.
    pub(in crate::hub) made: mpsc::UnboundedSender<Made>,
    /// At most one segment is on the way.
    segments: mpsc::UnboundedReceiver<Made>,
    /// Bytes of updates that are made ready in one go.
    pub(in crate::hub) max_segment: usize,
    /// To whom texts are sent that are harmless in HTML.
    pub(in crate::hub) sanitize: Recipients,
    /// Counters of replays.
    pub(in crate::hub) metrics: Arc<Metrics>,
}

/// A thing that follows from a turn for the rest of the loop.
#[derive(Debug)]
pub(in crate::hub) enum Effect {
    /// A member has everything up to this cursor: it is live.
    Live(MemberId, Cursor),
    /// The journal can't tell these members, who stand at one place, what they missed, and why.
    GiveUp {
        /// In the order of the queue.
        members: Vec<MemberId>,
        /// The place at which all of them stand.
        at: Cursor,
        /// The reason, as the metrics name it.
        why: &'static str,
    },
    /// A member that is being given a large snapshot has room for the next part.
    Part(MemberId),
}

/// One turn for those who are behind: the members and the stream stand still meanwhile.
#[derive(Debug)]
pub(in crate::hub) struct CatchUpTurn<'h> {
    catchup: &'h mut CatchUp,
    roster: &'h mut Roster,
    stream: &'h Stream,
    effects: Vec<Effect>,
    /// Members that are live or given up by these.
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
            sanitize: options.sanitize,
            metrics,
        }
    }

    /// Has those who are behind served; returns the effects, for the loop to carry out in order.
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

    /// Keeps a record at hand for those who come back.
    pub(in crate::hub) fn remember(&mut self, record: &Arc<Record>) {
        self.recent.push(record.clone());
    }

    /// Forgets these, which are in the order of the queue.
    fn forget_all(&mut self, members: &[MemberId]) {
        let mut next = members.iter().peekable();
        self.queue.retain(|id| next.next_if_eq(&id).is_none());
    }

    /// The next segment that was made.
    pub(in crate::hub) async fn segment(&mut self) -> Option<Made> {
        self.segments.recv().await
    }

    /// When there is something to do without anybody asking.
    pub(in crate::hub) fn due(&self) -> Option<Instant> {
        (!self.queue.is_empty()).then_some(self.look_at)
    }
}

impl CatchUpTurn<'_> {
    /// Serves a member that is behind, after those who are behind already. One that stands in the queue keeps its place.
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

    /// A step for those who are behind.
    pub(in crate::hub) fn step(&mut self, now: Instant) {
        let nobody = self.catchup.queue.is_empty();
        self.catchup.kept.forget_old(now, nobody);
        if nobody || now < self.catchup.look_at {
            return;
        }
        if self.catchup.unseen == 0 {
            self.catchup.unseen = self.catchup.queue.len();
        }
        let mut budget = STEP_DELIVERIES;
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
            let Some((at, holds, ready)) = self.look_at(id, now) else {
                self.catchup.queue.pop_front();
                self.unqueue(id);
                continue;
            };
            self.catchup.queue.rotate_left(1);
            if !ready {
                continue;
            }
            if self.is_taking(id) {
                self.effects.push(Effect::Part(id));
                continue;
            }
            if holds {
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

    /// Where a member stands, whether it holds some of a segment, and whether it has room for more. None for one that is not
    /// behind.
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

    fn is_taking(&self, id: MemberId) -> bool {
        let behind = self.roster.get(id).and_then(|m| m.behind.as_ref());
        behind.is_some_and(|behind| behind.taking.is_some())
    }

    /// Takes those who stand at `at` on: to the present if that is close, else by a segment that is made aside.
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
        let close = count <= MAX_LIVE_GAP;
        match close.then(|| self.catchup.recent.get(&ranges)).flatten() {
            Some(records) => self.last_segment(at, &to, &records, topics, budget),
            None => {
                if self.take_kept(id, at) {
                    *budget = budget.saturating_sub(self.hand_over(id));
                    return;
                }
                let edge = self.stream.all_sent_up_to();
                // Far behind, the end is where nothing is unsent: cursors to there are short.
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

    /// A member that is behind, has room and holds nothing.
    pub(in crate::hub) fn waiting(&self, id: MemberId) -> Option<&Behind> {
        let member = self.roster.get(id)?;
        let behind = member.behind.as_deref()?;
        let waits = behind.held.is_none()
            && behind.taking.is_none()
            && member.outlet.has_room()
            && behind.credit.has_room(member.outlet.waiting());
        waits.then_some(behind)
    }

    /// Those at `at` that have room and hold nothing, in the order of the queue; of these, who listens to just these topics,
    /// if it has to be.
    pub(in crate::hub) fn cohort(&self, at: &Cursor, topics: Option<Listening>) -> Vec<MemberId> {
        let listens = |id| self.roster.get(id).map(|m| self.roster.topics(m));
        let fits = |id: &&MemberId| {
            self.waiting(**id).is_some_and(|b| b.at == *at)
                && topics.is_none_or(|topics| listens(**id) == Some(topics))
        };
        self.catchup.queue.iter().filter(fits).copied().collect()
    }

    /// Takes these out of the queue.
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

    /// The journal no longer holds what those at this place have missed.
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
