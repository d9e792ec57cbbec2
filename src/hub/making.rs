//! Makes stretches, in a task beside the loop: reads the journal, gathers, writes.
//!
//! One is made at a time, for all who stand at one place. What they may see is taken along (`eye`), for it decides how far
//! the stretch goes; whoever comes to that place meanwhile and sees the same gets it too.

use std::{
    collections::HashMap,
    sync::Arc,
    time::{Duration, Instant},
};

use tokio::sync::mpsc;

use super::{
    Hub,
    behind::Behind,
    catchup::LOOK,
    eye::{Eye, Key},
    gather::Gathering,
    member::MemberId,
    portions::Held,
    replay::{self, Stretch},
};
use crate::{
    channel::Listening,
    delivery::{Cursor, missed::missed},
    journal::{Journal, JournalError, Seq},
};

/// Events in one stretch at the most: the more, the more of them are united.
pub(super) const SPAN: u64 = 131_072;
/// Records read at a time for a stretch.
const READ: usize = 256;
/// Different views and rooms that share a stretch at the most; others wait for the next.
const EYES: usize = 1_024;

/// What failed so often in a row for a member will fail again.
const ATTEMPTS: u32 = 3;
/// How long those rest for whom it failed; others are served meanwhile.
const REST: Duration = LOOK.saturating_mul(4);

/// The result of making a stretch.
#[derive(Debug)]
pub(super) struct Made {
    /// The place of those that it was made for.
    from: Cursor,
    /// The stretch; none when the journal no longer holds all of it.
    stretch: Result<Option<Stretch>, JournalError>,
}

/// Says what became of it, also when the task that makes it panics: nobody else would be served any more.
struct Report {
    from: Cursor,
    made: Option<mpsc::UnboundedSender<Made>>,
}

impl Report {
    fn send(mut self, stretch: Result<Option<Stretch>, JournalError>) {
        self.leave(stretch);
    }

    fn leave(&mut self, stretch: Result<Option<Stretch>, JournalError>) {
        if let Some(made) = self.made.take() {
            let from = self.from.clone();
            made.send(Made { from, stretch }).ok();
        }
    }
}

impl Drop for Report {
    fn drop(&mut self) {
        self.leave(Err(JournalError::Unavailable(
            "the task that makes a stretch ended".into(),
        )));
    }
}

impl Hub {
    /// Takes a made stretch.
    pub(super) fn take_stretch(&mut self, made: Made) {
        self.catchup.making = false;
        self.catchup.next = true;
        self.catchup.look_at = Instant::now();
        match made.stretch {
            // Trimmed meanwhile: the next look finds that it is gone.
            Ok(None) => {}
            Ok(Some(stretch)) => {
                let stretch = Arc::new(stretch);
                // It takes nobody on: another one at once would be the same.
                if stretch.updates.is_empty() && stretch.end == stretch.from {
                    self.catchup.look_at += LOOK;
                }
                let eyes: HashMap<Key, usize> =
                    stretch.eyes.iter().map(Eye::key).zip(0..).collect();
                for at in 0..self.catchup.queue.len() {
                    let id = self.catchup.queue[at];
                    let waits =
                        |b: &Behind| b.held.is_none() && b.taking.is_none() && b.at == stretch.from;
                    let behind = self.roster.get(id).and_then(|m| m.behind.as_ref());
                    if !behind.is_some_and(|behind| waits(behind)) {
                        continue;
                    }
                    // A member that came meanwhile and sees something else waits for another one.
                    let eye = self
                        .roster
                        .eye(id)
                        .and_then(|eye| eyes.get(&eye.key()).copied());
                    let member = self.roster.get_mut(id);
                    if let (Some(eye), Some(behind)) = (eye, member.and_then(|m| m.behind.as_mut()))
                    {
                        behind.hold(Held::new(stretch.clone(), eye));
                    }
                }
            }
            Err(error) => {
                self.metrics.replay_failed();
                let hopeless = self.note_failure(&made.from);
                if hopeless.is_empty() {
                    tracing::warn!(%error, "reading the journal for those who are behind failed; trying again");
                } else {
                    let clients = hopeless.len();
                    tracing::error!(%error, clients, "what some have missed can't be read; they are given the state instead");
                    self.give_up_these(&hopeless, &made.from, "unreadable");
                }
            }
        }
    }

    /// Making a stretch failed for those at `from`: they rest. Returns those for whom it failed too often, in the order of
    /// the queue.
    fn note_failure(&mut self, from: &Cursor) -> Vec<MemberId> {
        let until = Instant::now() + REST;
        let mut hopeless = Vec::new();
        for id in self.cohort(from, None) {
            let behind = self.roster.get_mut(id).and_then(|m| m.behind.as_mut());
            if behind.is_some_and(|behind| behind.rest(until) >= ATTEMPTS) {
                hopeless.push(id);
            }
        }
        hopeless
    }

    /// What these see, each once, and the number of each one's; as many as may share a stretch.
    pub(super) fn eyes(&self, cohort: &[MemberId]) -> (Arc<[Eye]>, Vec<Option<usize>>) {
        let mut numbers: HashMap<Key, usize> = HashMap::new();
        let (mut eyes, mut whose) = (Vec::new(), Vec::with_capacity(cohort.len()));
        for &id in cohort {
            let number = self.roster.eye(id).and_then(|eye| {
                let key = eye.key();
                let known = numbers.get(&key).copied();
                let new = known.is_none() && eyes.len() < EYES;
                if new {
                    numbers.insert(key, eyes.len());
                    eyes.push(eye);
                }
                known.or(new.then(|| eyes.len() - 1))
            });
            whose.push(number);
        }
        (eyes.into(), whose)
    }

    /// The one that waits longest for a stretch of its own, and where it stands.
    pub(super) fn first_of_waiting(&mut self, now: Instant) -> Option<(MemberId, Cursor)> {
        let ticket = |id: &MemberId| {
            let behind = self.roster.get(*id)?.behind.as_ref()?;
            Some((behind.ticket(now)?, *id))
        };
        let (_, id) = self.catchup.queue.iter().filter_map(ticket).min()?;
        let (at, holds, ready) = self.look_at(id, now)?;
        (ready && !holds).then_some((id, at))
    }

    /// Has the next stretch made for this member and all at its place; one at a time.
    pub(super) fn make_stretch(
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
        let (eyes, _) = self.eyes(&self.cohort(at, topics));
        let (journal, table) = (self.journal.clone(), self.table.clone());
        let (made, max_bytes) = (self.catchup.made.clone(), self.options.max_stretch);
        let (grouping, sanitize) = (table.grouping(), self.options.sanitize);
        let gathering = Gathering::new(
            table,
            eyes,
            at.clone(),
            to,
            topics.unwrap_or_default(),
            max_bytes,
        );
        let ranges = missed(at, to, SPAN);
        let report = Report {
            from: at.clone(),
            made: Some(made),
        };
        tokio::spawn(async move {
            let write = move |gathering: Gathering| {
                replay::write(gathering.finish(), grouping, max_bytes, sanitize)
            };
            report.send(make(&*journal, gathering, &ranges, write).await);
        });
    }
}

/// Reads these places and makes a stretch of them.
async fn make(
    journal: &dyn Journal,
    mut gathering: Gathering,
    ranges: &[(Seq, u64)],
    write: impl FnOnce(Gathering) -> Stretch + Send + 'static,
) -> Result<Option<Stretch>, JournalError> {
    if ranges.iter().map(|(_, len)| len).sum::<u64>() >= SPAN {
        gathering.cut();
    }
    'all: for &(start, len) in ranges {
        let (mut after, last) = (start - 1, start + len - 1);
        while after < last {
            let limit = usize::try_from(last - after).unwrap_or(usize::MAX);
            let batch = journal.read(after, limit.min(READ)).await?;
            // Missing records were trimmed, or else they are damaged.
            if batch.is_end(after) || journal.bounds().first > after + 1 {
                return Ok(None);
            }
            after = batch.to.min(last);
            let records = batch.records;
            // Uniting and rendering so much would hold up whoever shares the thread.
            let more = aside(move || {
                let more = gathering.take(&records);
                (gathering, more)
            });
            let wants_more;
            (gathering, wants_more) = more.await?;
            if !wants_more && after < last {
                break 'all;
            }
        }
    }
    aside(move || write(gathering)).await.map(Some)
}

async fn aside<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, JournalError> {
    let done = tokio::task::spawn_blocking(work).await;
    done.map_err(|error| JournalError::Unavailable(format!("a stretch could not be made: {error}")))
}
