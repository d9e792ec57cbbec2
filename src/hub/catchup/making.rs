//! Makes segments in a task beside the loop: reads the journal, coalesces, writes.
//!
//! One task at a time makes the segment for all members at one place, or the short segments of members that go to the
//! same meeting place (`meeting`), from one reading. The task takes their viewers along (`viewer`), because these
//! decide how far the segment goes. A member that comes to that place meanwhile and has the same viewer gets the
//! segment too.

use std::{
    collections::HashMap,
    sync::Arc,
    time::{Duration, Instant},
};

use smallvec::{SmallVec, smallvec};
use tokio::sync::mpsc;

use super::{
    CATCH_UP_INTERVAL, CatchUpTurn, Effect,
    coalesce::SegmentBuilder,
    credit::Held,
    replay::{self, ReplaySegment},
};
use crate::hub::{
    member::MemberId,
    viewer::{Viewer, ViewerKey},
};
use crate::{
    channel::Listening,
    config::Recipients,
    delivery::{
        Cursor,
        missed::{first_missed, missed},
    },
    journal::{Journal, JournalError, Record, Seq},
    observe::Metrics,
};

/// The most events in one segment: the more there are, the more of them are coalesced.
pub(in crate::hub) const MAX_SEGMENT_EVENTS: u64 = 131_072;
/// Records read at a time for a segment.
const READ_BATCH: usize = 256;
/// The bytes that are written of segments made together, as a multiple of one segment's budget; the others are made
/// next.
const MAX_WRITTEN_SEGMENTS: usize = 4;
/// The most viewers that share a segment; further ones wait for the next.
const MAX_SEGMENT_VIEWERS: usize = 1_024;

/// The failures in a row after which a member is given the state: the segment will fail again.
const MAX_SEGMENT_FAILURES: u32 = 3;
/// The rest of members whose segment failed; others are served meanwhile.
const RETRY_PAUSE: Duration = CATCH_UP_INTERVAL.saturating_mul(4);

/// The result of making a segment.
#[derive(Debug)]
pub(in crate::hub) struct Made {
    /// The places of the members that the segments were made for.
    from: Vec<Cursor>,
    /// A segment for each place, or for the first of them; none when the journal no longer holds all of it.
    segments: Result<Vec<ReplaySegment>, JournalError>,
}

/// Reports the result, also when the task that makes it panics: otherwise no member would be served any more.
struct Report {
    from: Vec<Cursor>,
    made: Option<mpsc::UnboundedSender<Made>>,
}

impl Report {
    fn send(mut self, segments: Result<Vec<ReplaySegment>, JournalError>) {
        self.leave(segments);
    }

    fn leave(&mut self, segments: Result<Vec<ReplaySegment>, JournalError>) {
        if let Some(made) = self.made.take() {
            let from = std::mem::take(&mut self.from);
            made.send(Made { from, segments }).ok();
        }
    }
}

impl Drop for Report {
    fn drop(&mut self) {
        self.leave(Err(JournalError::Unavailable(
            "the task that makes a segment ended".into(),
        )));
    }
}

impl CatchUpTurn<'_> {
    /// Takes a made segment.
    pub(in crate::hub) fn take_segment(&mut self, made: Made) {
        self.catchup.making = false;
        self.catchup.next = true;
        self.catchup.look_at = Instant::now();
        match made.segments {
            // An empty list means that the journal was trimmed meanwhile: the next look finds that the records are
            // gone.
            Ok(segments) => self.distribute(segments),
            Err(error) => {
                self.catchup.metrics.replay_failed();
                // An engine that is away comes back: until then it is no matter of this segment.
                let journal = self.stream.journal();
                if journal.is_shared() && journal.health().trouble.is_some() {
                    for from in &made.from {
                        self.wait_for_journal(from);
                    }
                    return;
                }
                tracing::warn!(%error, "reading the journal for those who are behind failed");
                for from in &made.from {
                    let hopeless = self.note_failure(from);
                    if !hopeless.is_empty() {
                        let clients = hopeless.len();
                        tracing::error!(%error, clients, "what some have missed can't be read; they are given the state instead");
                        self.effects.push(Effect::GiveUp {
                            members: hopeless,
                            at: from.clone(),
                            why: "unreadable",
                        });
                    }
                }
            }
        }
    }

    /// Gives segments to all members that are at the beginning of one.
    fn distribute(&mut self, segments: Vec<ReplaySegment>) {
        let mut made = Vec::with_capacity(segments.len());
        for segment in segments {
            // The segment made no progress, so the members wait before it is built again.
            if segment.updates.is_empty() && segment.end == segment.from {
                self.catchup.look_at += CATCH_UP_INTERVAL;
            }
            let viewers: HashMap<ViewerKey, usize> =
                segment.viewers.iter().map(Viewer::key).zip(0..).collect();
            made.push((Arc::new(segment), viewers));
        }
        for at in 0..self.catchup.queue.len() {
            let id = self.catchup.queue[at];
            let behind = self.roster.get(id).and_then(|m| m.behind.as_ref());
            let Some(behind) = behind.filter(|b| b.held.is_none() && b.taking.is_none()) else {
                continue;
            };
            let Some((segment, viewers)) = made.iter().find(|(s, _)| s.from == behind.at) else {
                continue;
            };
            // A member that came meanwhile with another viewer waits for the next segment.
            let viewer = self
                .roster
                .viewer(id)
                .and_then(|viewer| viewers.get(&viewer.key()).copied());
            let member = self.roster.get_mut(id);
            if let (Some(viewer), Some(behind)) = (viewer, member.and_then(|m| m.behind.as_mut())) {
                behind.hold(Held::new(segment.clone(), viewer));
            }
        }
        for (segment, viewers) in made {
            self.catchup.kept.keep(segment, viewers);
        }
    }

    /// Lets the members at `from` rest, because their segment failed. Returns those for whom it failed too often, in
    /// the order of the queue.
    fn note_failure(&mut self, from: &Cursor) -> Vec<MemberId> {
        let until = Instant::now() + RETRY_PAUSE;
        let mut hopeless = Vec::new();
        for id in self.cohort(from, None) {
            let behind = self.roster.get_mut(id).and_then(|m| m.behind.as_mut());
            if behind.is_some_and(|behind| behind.rest(until) >= MAX_SEGMENT_FAILURES) {
                hopeless.push(id);
            }
        }
        hopeless
    }

    /// Lets the members at `from` rest, because the journal can't be read now.
    fn wait_for_journal(&mut self, from: &Cursor) {
        let until = Instant::now() + RETRY_PAUSE;
        for id in self.cohort(from, None) {
            let behind = self.roster.get_mut(id).and_then(|m| m.behind.as_mut());
            if let Some(behind) = behind {
                behind.rest_until(until);
            }
        }
    }

    /// The different viewers of these members, and the number of each member's own; no more than may share a segment.
    pub(in crate::hub) fn viewers(
        &self,
        cohort: &[MemberId],
    ) -> (Arc<[Viewer]>, Vec<Option<usize>>) {
        let mut numbers: HashMap<ViewerKey, usize> = HashMap::new();
        let (mut viewers, mut whose) = (Vec::new(), Vec::with_capacity(cohort.len()));
        for &id in cohort {
            let number = self.roster.viewer(id).and_then(|viewer| {
                let key = viewer.key();
                let known = numbers.get(&key).copied();
                let new = known.is_none() && viewers.len() < MAX_SEGMENT_VIEWERS;
                if new {
                    numbers.insert(key, viewers.len());
                    viewers.push(viewer);
                }
                known.or(new.then(|| viewers.len() - 1))
            });
            whose.push(number);
        }
        (viewers.into(), whose)
    }

    /// The member that has waited longest for a segment of its own, and its place.
    pub(in crate::hub) fn first_of_waiting(&mut self, now: Instant) -> Option<(MemberId, Cursor)> {
        let ticket = |id: &MemberId| {
            let behind = self.roster.get(*id)?.behind.as_ref()?;
            Some((behind.ticket(now)?, *id))
        };
        let (_, id) = self.catchup.queue.iter().filter_map(ticket).min()?;
        let (at, holds, ready) = self.look_at(id, now)?;
        (ready && !holds).then_some((id, at))
    }

    /// Has the next segment made for this member and all at its place; one segment is made at a time.
    pub(in crate::hub) fn make_segment(
        &mut self,
        id: MemberId,
        at: &Cursor,
        to: &Cursor,
        topics: Option<Listening>,
    ) {
        if self.catchup.making {
            let behind = self.roster.get_mut(id).and_then(|m| m.behind.as_mut());
            if let Some(behind) = behind {
                behind.wait(&mut self.catchup.tickets);
            }
            return;
        }
        self.catchup.making = true;
        let (from, whose) = self.who_meets_at(at, to, topics);
        let (viewers, _) = self.viewers(&whose);
        let max_bytes = self.catchup.max_segment;
        let builder = |from: &Cursor| {
            let (table, topics) = (self.stream.table().clone(), topics.unwrap_or_default());
            SegmentBuilder::new(table, viewers.clone(), from.clone(), to, topics, max_bytes)
        };
        let together = Together {
            builders: from.iter().map(|from| (builder(from), true)).collect(),
            ranges: ranges(&from, to),
            grouping: self.stream.table().grouping(),
            max_bytes,
            sanitize: self.catchup.sanitize,
        };
        let report = Report {
            from,
            made: Some(self.catchup.made.clone()),
        };
        let (journal, metrics) = (self.stream.journal().clone(), self.catchup.metrics.clone());
        tokio::spawn(async move {
            report.send(together.make(&*journal, &metrics).await);
        });
    }
}

/// The places to read so that members go from each of these cursors to `to`. Segments that are made together are short,
/// so the places between them are read too; each segment leaves out what its members do not miss.
fn ranges(from: &[Cursor], to: &Cursor) -> SmallVec<[(Seq, u64); 4]> {
    match from {
        [only] => missed(only, to, MAX_SEGMENT_EVENTS),
        all => {
            let first = all.iter().map(first_missed).min().unwrap_or(to.seq);
            smallvec![(first, (to.seq + 1).saturating_sub(first))]
        }
    }
}

/// Segments to the same end that are made from one reading.
struct Together {
    /// One builder for each place, and whether it wants more.
    builders: Vec<(SegmentBuilder, bool)>,
    ranges: SmallVec<[(Seq, u64); 4]>,
    grouping: u32,
    max_bytes: usize,
    sanitize: Recipients,
}

impl Together {
    /// Reads these places and makes segments of them; none if the journal no longer has them.
    async fn make(
        mut self,
        journal: &dyn Journal,
        metrics: &Metrics,
    ) -> Result<Vec<ReplaySegment>, JournalError> {
        'all: for (start, len) in self.ranges.clone() {
            let (mut after, last) = (start - 1, start + len - 1);
            while after < last {
                // Reads end at a multiple of the batch: a segment that is cut short ends where others may begin.
                let limit = usize::try_from(last - after).unwrap_or(usize::MAX);
                let batch = journal
                    .read(after, limit.min(READ_BATCH - after as usize % READ_BATCH))
                    .await?;
                // Records that are missing here were trimmed, or they are damaged.
                if batch.is_end(after) || journal.bounds().first > after + 1 {
                    return Ok(Vec::new());
                }
                after = batch.to.min(last);
                let records = batch.records;
                metrics.replay_read(records.len());
                // Coalescing and rendering so much would hold up all tasks that share the thread.
                let wants_more;
                (self, wants_more) = aside(move || self.take(&records)).await?;
                if !wants_more && after < last {
                    break 'all;
                }
            }
        }
        aside(move || self.write()).await
    }

    /// Takes the next records; false when all segments are full.
    fn take(mut self, records: &[Arc<Record>]) -> (Self, bool) {
        let mut any = false;
        for (builder, wants_more) in &mut self.builders {
            *wants_more = *wants_more && builder.take(records);
            any |= *wants_more;
        }
        (self, any)
    }

    fn write(self) -> Vec<ReplaySegment> {
        let is_cut = self.ranges.iter().map(|(_, len)| len).sum::<u64>() >= MAX_SEGMENT_EVENTS;
        let (mut segments, mut bytes) = (Vec::new(), 0);
        for (mut builder, _) in self.builders {
            if bytes > MAX_WRITTEN_SEGMENTS * self.max_bytes {
                break;
            }
            if is_cut {
                builder.cut();
            }
            let coalesced = builder.finish();
            let segment = replay::write(coalesced, self.grouping, self.max_bytes, self.sanitize);
            bytes += segment.bytes();
            segments.push(segment);
        }
        segments
    }
}

async fn aside<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, JournalError> {
    let done = tokio::task::spawn_blocking(work).await;
    done.map_err(|error| JournalError::Unavailable(format!("a segment could not be made: {error}")))
}
