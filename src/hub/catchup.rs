//! Clients behind the live stream: those that come back with a cursor, and those parked because they read too slowly.
//!
//! ```text
//!  resume, parked ─▶ behind ─▶ [stretch by stretch, read and rendered aside] ─▶ the last one here, in the loop ─▶ live
//! ```
//!
//! Whoever stands at the same place is served together: the journal is read and the updates are written once for all of
//! them. Stretches are made in a task of their own; the loop only hands them out, a bounded number of deliveries
//! between two flushes, so the live stream doesn't notice. The last few events are made in the loop itself, at one place of
//! the stream, and with them the client is live again: no gap and no double.
//!
//! A client whose lane is full rests until it has taken half of it. Nothing is kept for it meanwhile but its cursor.

use std::{
    collections::VecDeque,
    sync::Arc,
    time::{Duration, Instant},
};

use smallvec::SmallVec;
use tokio::sync::mpsc;

use super::{
    Hub,
    fanout::Batch,
    replay::{self, Replayed, Stretch},
    roster::MemberId,
    view::Candidate,
};
use crate::{
    access::Subject,
    journal::{Cursor, Journal, JournalError, Record, Seq},
    update::{Audience, Table},
};

/// Events in one stretch at the most: the more, the more of them are united.
const STRETCH: u64 = 4_096;
/// And at the least, where they fit.
const LEAST: u64 = 32;
/// What the loop itself makes ready at the most, to bring a client to the present.
const LAST: u64 = 256;
/// Deliveries between two flushes of the live stream.
const BUDGET: usize = 16_384;
/// Records read at a time for a stretch.
const READ: usize = 128;
/// How long one step may take before the live stream has its turn.
const STEP: Duration = Duration::from_millis(2);
/// How much is read for a stretch, as a multiple of what it may have: some of it is united or for nobody here.
const READ_AHEAD: usize = 4;
/// How often those who rest are looked at.
const LOOK: Duration = Duration::from_millis(25);
/// The newest records, kept at hand for the last stretch.
const RECENT: usize = 2_048;

/// What the hub knows of all of them.
#[derive(Debug)]
pub(super) struct CatchUp {
    /// Who is behind, in the order in which they are served.
    queue: VecDeque<MemberId>,
    /// A stretch is being made.
    making: bool,
    /// How many events went into the last one: the next is not begun with many more, only to be cut.
    fits: u64,
    /// Whom a stretch still has to be given to.
    handing_out: Option<(Stretch, Vec<MemberId>)>,
    /// The newest records.
    recent: VecDeque<Arc<Record>>,
    /// When those who rest are looked at next.
    look_at: Instant,
    made: mpsc::UnboundedSender<Made>,
    /// At most one stretch is on the way.
    stretches: mpsc::UnboundedReceiver<Made>,
}

/// A stretch; none when the journal no longer holds all of it.
pub(super) type Made = Result<Option<Stretch>, JournalError>;

impl CatchUp {
    pub(super) fn new() -> Self {
        let (made, stretches) = mpsc::unbounded_channel();
        Self {
            queue: VecDeque::new(),
            making: false,
            fits: STRETCH,
            handing_out: None,
            recent: VecDeque::new(),
            look_at: Instant::now(),
            made,
            stretches,
        }
    }

    pub(super) fn remember(&mut self, record: &Arc<Record>) {
        if self.recent.len() == RECENT {
            self.recent.pop_front();
        }
        self.recent.push_back(record.clone());
    }

    /// Serves a member after those who are behind already.
    pub(super) fn serve(&mut self, member: MemberId) {
        self.queue.push_back(member);
        self.look_at = Instant::now();
    }

    pub(super) fn forget(&mut self, member: MemberId) {
        self.queue.retain(|id| *id != member);
        if let Some((_, members)) = &mut self.handing_out {
            members.retain(|id| *id != member);
        }
    }

    /// The next stretch that was made.
    pub(super) async fn stretch(&mut self) -> Option<Made> {
        self.stretches.recv().await
    }

    /// When there is something to do without anybody asking.
    pub(super) fn due(&self) -> Option<Instant> {
        if self.handing_out.is_some() {
            return Some(Instant::now());
        }
        (!self.queue.is_empty() && !self.making).then_some(self.look_at)
    }

    /// The records of these places, if all of them are at hand.
    fn at_hand(&self, ranges: &[(Seq, u64)]) -> Option<Vec<Arc<Record>>> {
        if ranges.is_empty() {
            return Some(Vec::new());
        }
        let first = self.recent.front().map(|record| record.seq)?;
        let mut records = Vec::new();
        for &(start, len) in ranges {
            let skip = usize::try_from(start.checked_sub(first)?).ok()?;
            let found = self.recent.range(skip.min(self.recent.len())..);
            records.extend(found.take_while(|r| r.seq < start + len).cloned());
        }
        Some(records)
    }
}

impl Hub {
    /// One step for those who are behind.
    pub(super) fn catch_up(&mut self) {
        self.hand_out();
        let now = Instant::now();
        if self.catchup.handing_out.is_some()
            || self.catchup.making
            || self.catchup.queue.is_empty()
            || now < self.catchup.look_at
        {
            return;
        }
        let mut budget = BUDGET;
        // Everybody is looked at once at the most.
        for _ in 0..self.catchup.queue.len() {
            if now.elapsed() > STEP {
                return;
            }
            let Some(at) = self.next_in_need() else {
                self.catchup.look_at = now + LOOK;
                return;
            };
            let to = self.live_cursor();
            let ranges = replay::missed(&at, &to, LAST + 1);
            let count: u64 = ranges.iter().map(|(_, len)| len).sum();
            let close = count <= LAST;
            if count > 0 && self.is_gone(&at) {
                self.give_up_all_at(&at);
                continue;
            }
            let Some(records) = close.then(|| self.catchup.at_hand(&ranges)).flatten() else {
                self.make_stretch(at, to);
                return;
            };
            if !self.last_stretch(&at, &to, &records, &mut budget) {
                return;
            }
        }
    }

    /// Takes a made stretch.
    pub(super) fn take_stretch(&mut self, stretch: Made) {
        self.catchup.making = false;
        match stretch {
            // Trimmed meanwhile: the next look finds that it is gone.
            Ok(None) => {}
            Ok(Some(stretch)) => {
                let of = (stretch.of as u64).max(LEAST);
                self.catchup.fits = if stretch.whole { of * 2 } else { of }.min(STRETCH);
                let members = self.take_cohort(&stretch.from);
                self.catchup.handing_out = Some((stretch, members));
            }
            Err(error) => {
                tracing::error!(%error, "reading the journal for those who are behind failed; trying again");
                self.catchup.look_at = Instant::now() + LOOK * 4;
            }
        }
    }

    /// Where the live stream stands, as far as all of it is sent or known to be owed.
    fn live_cursor(&self) -> Cursor {
        self.position.cursor(&self.pending)
    }

    /// The place of the first one in the queue that has room; those before it go to the end.
    fn next_in_need(&mut self) -> Option<Cursor> {
        for _ in 0..self.catchup.queue.len() {
            let &id = self.catchup.queue.front()?;
            let member = self.roster.get(id);
            match member.and_then(|m| m.behind.as_ref().filter(|_| m.outlet.has_room())) {
                Some(behind) => return Some(behind.at.clone()),
                None if member.is_none_or(|m| m.behind.is_none()) => {
                    self.catchup.queue.pop_front();
                }
                None => self.catchup.queue.rotate_left(1),
            }
        }
        None
    }

    /// Takes those out of the queue that stand at `at` and have room.
    pub(super) fn take_cohort(&mut self, at: &Cursor) -> Vec<MemberId> {
        let (roster, queue) = (&self.roster, &mut self.catchup.queue);
        let mut cohort = Vec::new();
        queue.retain(|&id| {
            let member = roster.get(id);
            let fits = member.is_some_and(|m| {
                m.behind.as_ref().is_some_and(|b| b.at == *at) && m.outlet.has_room()
            });
            if fits {
                cohort.push(id);
            }
            !fits
        });
        cohort
    }

    /// Whether the journal no longer holds what comes after `at`.
    fn is_gone(&self, at: &Cursor) -> bool {
        let first = at.owed.first().map_or(at.seq + 1, |run| run.start);
        first < self.journal.bounds().first
    }

    fn make_stretch(&mut self, at: Cursor, to: Cursor) {
        self.catchup.making = true;
        let (journal, table) = (self.journal.clone(), self.table.clone());
        let (made, max_bytes) = (self.catchup.made.clone(), self.options.max_stretch);
        let max = self.catchup.fits;
        tokio::spawn(async move {
            let made_now = make(&*journal, table, at, to, max, max_bytes).await;
            made.send(made_now).ok();
        });
    }

    /// Hands out the stretch at hand, as far as the budget goes.
    fn hand_out(&mut self) {
        let Some((stretch, mut members)) = self.catchup.handing_out.take() else {
            return;
        };
        let at_once = (BUDGET / stretch.updates.len().max(1)).clamp(1, members.len().max(1));
        let now: Vec<MemberId> = members.drain(..at_once.min(members.len())).collect();
        self.deliver_stretch(&stretch, &now);
        for &id in &now {
            let Some(member) = self.roster.get_mut(id) else {
                continue;
            };
            if let Some(behind) = &mut member.behind {
                behind.at = stretch.end.clone();
                self.catchup.queue.push_back(id);
            }
        }
        if !members.is_empty() {
            self.catchup.handing_out = Some((stretch, members));
        }
    }

    /// Brings those who stand at `at` to the present, or at least closer. False when that is enough for now.
    fn last_stretch(
        &mut self,
        at: &Cursor,
        to: &Cursor,
        records: &[Arc<Record>],
        budget: &mut usize,
    ) -> bool {
        let stretch = replay::prepare(&self.table, records, at, to, self.options.max_stretch);
        let mut cohort = self.take_cohort(at);
        if !stretch.whole {
            self.catchup.handing_out = Some((stretch, cohort));
            return false;
        }
        let at_once = (*budget / stretch.updates.len().max(1)).max(1);
        if cohort.len() > at_once {
            let later = cohort.split_off(at_once);
            later
                .into_iter()
                .rev()
                .for_each(|id| self.catchup.queue.push_front(id));
        }
        *budget = budget.saturating_sub(cohort.len() * stretch.updates.len().max(1));
        self.deliver_stretch(&stretch, &cohort);
        for id in cohort {
            self.go_live(id, to);
        }
        *budget > 0
    }

    fn deliver_stretch(&mut self, stretch: &Stretch, members: &[MemberId]) {
        let mut batches: Vec<(MemberId, Batch<'_>)> = Vec::new();
        let mut deliveries = 0;
        let mut rest = &stretch.updates[..];
        for &size in &stretch.groups {
            let (group, others) = rest.split_at(size);
            rest = others;
            self.roster.next_update();
            for &id in members {
                let mut seen: SmallVec<[&Replayed; 4]> = SmallVec::new();
                for update in group {
                    // A verdict is shared by those who look at the same update one after the other.
                    if size > 1 {
                        self.roster.next_update();
                    }
                    if self.may_see(id, update) {
                        seen.push(update);
                    }
                }
                let Some(member) = self.roster.get_mut(id).filter(|_| !seen.is_empty()) else {
                    continue;
                };
                deliveries += seen.len() as u64;
                if let Some(behind) = &mut member.behind {
                    behind.replayed += seen.len() as u64;
                }
                let last = seen.len() - 1;
                for (at, update) in seen.into_iter().enumerate() {
                    let earlier = update.earlier.as_ref().filter(|_| at < last);
                    let outgoing = earlier.unwrap_or(&update.last);
                    if member.batch.is_none() {
                        member.outlet.send(outgoing);
                        continue;
                    }
                    let layout = update.planned.kind.changes_layout(&update.record.event);
                    match batches.last_mut().filter(|(member, _)| *member == id) {
                        Some((_, batch)) => batch.push((outgoing, layout)),
                        None => batches.push((id, vec![(outgoing, layout)])),
                    }
                }
                self.roster.touch(id);
            }
        }
        self.metrics.replayed(deliveries);
        self.send_stretch_batches(batches);
    }

    fn may_see(&mut self, id: MemberId, update: &Replayed) -> bool {
        let topic = match update.planned.audience {
            Audience::Topic(topic) => Some(topic),
            _ => None,
        };
        let candidate = Candidate {
            subject: Subject {
                update: update.planned.kind.name(),
                priority: update.planned.priority,
                event: &update.record.event,
            },
            namespace: update.planned.kind.namespace(),
            seq: Seq::MAX,
        };
        self.roster.sees(id, &candidate, &update.rooms, topic)
    }
}

async fn make(
    journal: &dyn Journal,
    table: Arc<Table>,
    at: Cursor,
    to: Cursor,
    max: u64,
    max_bytes: usize,
) -> Made {
    let mut records: Vec<Arc<Record>> = Vec::new();
    let mut weight = 0;
    'all: for (start, len) in replay::missed(&at, &to, max) {
        let (mut after, last) = (start - 1, start + len - 1);
        while after < last {
            let limit = usize::try_from(last - after).unwrap_or(usize::MAX);
            let more = journal.read(after, limit.min(READ)).await?;
            // The journal has no holes: what doesn't follow was trimmed.
            if more.first().is_none_or(|record| record.seq != after + 1) {
                return Ok(None);
            }
            after += more.len() as u64;
            weight += more.iter().map(|record| record.weight).sum::<usize>();
            records.extend(more);
            if weight > READ_AHEAD * max_bytes {
                break 'all;
            }
        }
    }
    // Uniting and rendering so much would hold up whoever shares the thread.
    let prepare = move || replay::prepare(&table, &records, &at, &to, max_bytes);
    match tokio::task::spawn_blocking(prepare).await {
        Ok(stretch) => Ok(Some(stretch)),
        Err(error) => Err(JournalError(format!(
            "a stretch could not be made: {error}"
        ))),
    }
}
