//! The one that writes: a call of the script for all appends that wait.

use std::{
    fmt,
    sync::Arc,
    time::{Duration, Instant},
};

use redis::Connection;

use super::{
    keys::Keys,
    options::{Acks, RedisOptions},
    saving::SavingParts,
    scripts::{Appended, Id, Kept, Scripts, Told, id_of},
    sessions::Sweep,
    shared::{Part, Shared},
};
use crate::{
    engine::Fault,
    journal::{
        Entry, Epoch, JournalError, Outcome, Seq,
        queue::{Append, Job, Queue, TakeLimits},
    },
    timestamp::Timestamp,
};

/// The most of one call. While it runs, the engine does nothing else.
const TAKE_LIMITS: TakeLimits = TakeLimits {
    events: 1_024,
    bytes: 4 << 20,
};
/// The time between two chores while no job comes.
const CHORES_INTERVAL: Duration = Duration::from_millis(250);
/// The time after which the primary is looked for again, while the follower has not compared what this connection meets.
const COMPARISON_PAUSE: Duration = Duration::from_millis(100);

pub(super) struct Writer {
    pub(super) shared: Arc<Shared>,
    pub(super) scripts: Scripts,
    pub(super) connection: Option<Connection>,
    pub(super) chores_at: Instant,
    pub(super) leased_at: Option<Instant>,
    /// Whether a step of trimming found more to do.
    pub(super) trims: bool,
    pub(super) sweep: Sweep,
    /// The checkpoint whose parts are being kept.
    pub(super) saving: Option<SavingParts>,
    /// The number of checkpoints that were begun.
    pub(super) checkpoints: u64,
}

/// An event on its way.
struct Sent {
    entry: Arc<Entry>,
    kept: Kept,
}

/// An event on its way, and the time at which it was accepted.
type Sending = (Sent, Instant);

impl Sent {
    fn new(entry: Entry) -> Self {
        Self {
            kept: Kept::new(id_of(&entry), &entry),
            entry: Arc::new(entry),
        }
    }
}

/// The answers to the events of a call, as they come.
struct Answers {
    outcomes: Vec<Outcome>,
    /// The events that an earlier try has kept: what is known then is not a duplicate.
    mine: Vec<bool>,
    /// The newest place that was read before the first try, once an answer to a try was lost.
    before: Option<Seq>,
    /// Whether the next event has another id than its producer gave it.
    renamed: bool,
}

// A connection has no debug form.
impl fmt::Debug for Writer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Writer").finish_non_exhaustive()
    }
}

impl Writer {
    pub(super) fn new(shared: Arc<Shared>) -> Self {
        Self {
            shared,
            scripts: Scripts::new(),
            connection: None,
            chores_at: Instant::now(),
            leased_at: None,
            trims: false,
            sweep: Sweep::default(),
            saving: None,
            checkpoints: 0,
        }
    }

    pub(super) fn run(mut self, queue: &Queue) {
        self.lease();
        loop {
            let wait = if self.trims {
                Duration::ZERO
            } else {
                CHORES_INTERVAL
            };
            let taken = queue.take(wait, TAKE_LIMITS);
            let (mut appends, mut decided) = (Vec::with_capacity(taken.jobs.len()), Vec::new());
            let mut stop = false;
            for job in taken.jobs {
                match job {
                    Job::Append(append) => appends.push(append),
                    Job::Decide(decide) => decided.push(decide),
                    Job::Checkpoint {
                        epoch,
                        seq,
                        part,
                        text,
                        reply,
                    } => {
                        let saved = match part {
                            Some(part) => self.checkpoint_part(seq, part, &text),
                            None => self.last_checkpoint_part((epoch, seq), &text),
                        };
                        reply.send(saved).ok();
                    }
                    Job::Text { name, text, reply } => {
                        let saved = self.save_text(name, text);
                        reply.send(saved).ok();
                    }
                    Job::Sessions { changes, reply } => {
                        reply.send(self.sessions(&changes)).ok();
                    }
                    Job::Stop => stop = true,
                }
            }
            self.decide(decided, || queue.decided(taken.decision_bytes));
            self.commit(appends);
            queue.done(taken.bytes, taken.events);
            if stop || queue.is_closed() {
                queue.close();
                self.give_up_lease();
                return;
            }
            if self.trims || self.chores_at.elapsed() >= CHORES_INTERVAL {
                self.chores(queue);
            }
        }
    }

    /// Keeps these events, and answers.
    fn commit(&mut self, mut appends: Vec<Append>) {
        // Appends whose callers are gone need not be kept.
        let all = appends.len();
        appends.retain(|append| !append.reply.is_closed());
        let given_up = all - appends.len();
        self.shared.metrics.given_up.inc_by(given_up as u64);
        if let Some(trouble) = self.shared.refuses() {
            // Events behind one that failed don't wait for as long again: the chores try.
            for append in appends {
                let refused = JournalError::Unavailable(trouble.clone());
                append.reply.send(Err(refused)).ok();
            }
            return;
        }
        let mut events = Vec::with_capacity(appends.len());
        let mut replies = Vec::with_capacity(appends.len());
        for append in appends {
            replies.push((append.entries.len(), append.reply));
            let entries = append.entries.into_iter();
            events.extend(entries.map(|entry| (Sent::new(entry), append.accepted)));
        }
        if events.is_empty() {
            return;
        }
        let noted = events
            .iter()
            .map(|(sent, accepted)| (sent.kept.id, sent.entry.clone(), *accepted));
        self.shared.own.sends(noted);
        match self.append(&mut events) {
            Ok(outcomes) => {
                self.shared.metrics.transactions.inc();
                let mut outcomes = outcomes.into_iter();
                for (count, reply) in replies {
                    reply.send(Ok(outcomes.by_ref().take(count).collect())).ok();
                }
            }
            Err(error) => {
                let ids = events.iter().map(|(sent, _)| &sent.kept.id);
                self.shared.own.unsend(ids);
                for (_, reply) in replies {
                    reply.send(Err(error.clone())).ok();
                }
            }
        }
    }

    /// Appends events; one whose id stands for another event is renamed.
    fn append(&mut self, events: &mut [Sending]) -> Result<Vec<Outcome>, JournalError> {
        let read_before = self.shared.timelines.shown().last();
        let accepted = events.iter().map(|(_, accepted)| *accepted).min();
        let deadline = accepted.unwrap_or_else(Instant::now) + self.shared.options.timeout;
        let mut answers = Answers {
            outcomes: Vec::with_capacity(events.len()),
            mine: vec![false; events.len()],
            before: None,
            renamed: false,
        };
        while answers.outcomes.len() < events.len() {
            let rest = &events[answers.outcomes.len()..];
            let now = Timestamp::now().as_micros() / 1_000;
            let compared = self.shared.own.epoch();
            let answer = self.call(|connection, scripts, shared| {
                let kept = rest.iter().map(|(sent, _)| &sent.kept);
                let answer = scripts.append(connection, &shared.keys, (now, compared), kept)?;
                if let Appended::Told(told) = &answer
                    && told.iter().any(|told| !matches!(told, Told::Conflict))
                {
                    let wrote = told.iter().any(|told| matches!(told, Told::Kept(_)));
                    wait_for_replica(connection, &shared.keys, &shared.options, wrote)?;
                }
                Ok(answer)
            });
            let told = match answer {
                Ok(Appended::Told(told)) => told,
                Ok(Appended::CompareFirst(epoch)) => {
                    self.wait_for_comparison(epoch, deadline)?;
                    continue;
                }
                Err((fault, _)) if fault.is_cut() && answers.before.is_none() => {
                    // Tried again at once, by ids, so nothing is kept twice.
                    answers.before = Some(read_before);
                    continue;
                }
                Err((fault, error)) => {
                    self.ill(&fault.to_string());
                    return Err(error);
                }
            };
            if told.iter().any(|told| matches!(told, Told::Kept(_))) {
                self.well();
            }
            if self.are_safe(compared, rest, &told) {
                self.note(events, &mut answers, told);
            } else {
                // The engine lost its newest events since, and the follower did not know of these.
                let from = answers.outcomes.len();
                for (at, told) in told.iter().enumerate() {
                    if let Some(mine) = answers.mine.get_mut(from + at) {
                        *mine |= matches!(told, Told::Kept(_));
                    }
                }
            }
        }
        Ok(answers.outcomes)
    }

    /// Whether the events that the engine has now are put back if it loses them: the follower has read them, or knows of
    /// their acknowledgement.
    fn are_safe(&self, compared: Epoch, events: &[Sending], told: &[Told]) -> bool {
        let read = self.shared.timelines.newest().last();
        let places = events.iter().zip(told);
        let places = places.filter_map(|((sent, _), told)| match told {
            Told::Kept(seq) => Some((sent.kept.id, *seq)),
            Told::Known(seq) => (*seq > read).then_some((sent.kept.id, *seq)),
            Told::Conflict => None,
        });
        self.shared.own.acknowledge(compared, places)
    }

    /// Notes the answers to the next events.
    fn note(&self, events: &mut [Sending], answers: &mut Answers, told: Vec<Told>) {
        let own = &self.shared.own;
        for one in told {
            let at = answers.outcomes.len();
            let Some((sent, accepted)) = events.get_mut(at) else {
                break;
            };
            let mine = answers.mine.get(at).copied().unwrap_or_default();
            match one {
                Told::Known(seq) if !mine && answers.before.is_none_or(|before| seq <= before) => {
                    answers.renamed = false;
                    own.unsend(std::iter::once(&sent.kept.id));
                    answers.outcomes.push(Outcome::Duplicate(seq));
                }
                // Also one that an earlier try has kept, whose answer was lost or came too late.
                Told::Kept(seq) | Told::Known(seq) => {
                    let renamed = std::mem::take(&mut answers.renamed);
                    answers.outcomes.push(match renamed {
                        true => Outcome::Conflict(seq),
                        false => Outcome::Stored(seq),
                    });
                }
                Told::Conflict => {
                    own.unsend(std::iter::once(&sent.kept.id));
                    *sent = Sent::new(sent.entry.renamed());
                    let noted: (Id, _, _) = (sent.kept.id, sent.entry.clone(), *accepted);
                    own.sends(std::iter::once(noted));
                    answers.renamed = true;
                }
            }
        }
    }

    /// Waits until the follower has compared the generation that this connection has met. One of the two connections may
    /// be with an engine that is the primary no more, so both look for it again.
    fn wait_for_comparison(&mut self, met: Epoch, deadline: Instant) -> Result<(), JournalError> {
        self.connection = None;
        self.shared.suspects();
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            let reason = "the journal's engine has another history than before, and what it may have lost is not put back yet";
            return Err(JournalError::Unavailable(reason.into()));
        }
        self.shared
            .own
            .wait_for_epoch(met, COMPARISON_PAUSE.min(left));
        Ok(())
    }

    /// Calls the engine, and notes a failure. That it answers does not say that it takes events: a full one can be read.
    pub(super) fn call<T>(
        &mut self,
        call: impl FnOnce(&mut Connection, &Scripts, &Shared) -> Result<T, Fault>,
    ) -> Result<T, (Fault, JournalError)> {
        let timeout = self.shared.options.timeout;
        let answer = match &mut self.connection {
            Some(connection) => call(connection, &self.scripts, &self.shared),
            None => self.shared.engine.connect(timeout).and_then(|new| {
                let connection = self.connection.insert(new);
                call(connection, &self.scripts, &self.shared)
            }),
        };
        match answer.map_err(|fault| fault.within(timeout)) {
            Ok(answer) => Ok(answer),
            Err(fault) => {
                if !matches!(fault, Fault::Alone(_)) {
                    self.connection = None;
                }
                let reason = fault.to_string();
                if fault.is_cut() {
                    // Tried again at once.
                    return Err((fault, JournalError::Unavailable(reason)));
                }
                self.ill(&reason);
                Err((fault, JournalError::Unavailable(reason)))
            }
        }
    }

    /// Notes that the engine has written something.
    pub(super) fn well(&self) {
        if self.shared.set_trouble(Part::Writer, None).is_some() {
            tracing::info!("the journal's engine takes events again");
        }
    }

    pub(super) fn ill(&self, reason: &str) {
        let before = self
            .shared
            .set_trouble(Part::Writer, Some(reason.to_owned()));
        if before.as_deref() != Some(reason) {
            tracing::error!(%reason, "the journal's engine takes no events; publishers are told to come back");
        }
    }
}

/// Waits until as many engines have the events as an acknowledgement promises.
pub(super) fn wait_for_replica(
    connection: &mut Connection,
    keys: &Keys,
    options: &RedisOptions,
    wrote: bool,
) -> Result<(), Fault> {
    let within = options.timeout / 2;
    let ms = u64::try_from(within.as_millis()).unwrap_or(u64::MAX);
    if options.acks != Acks::Primary && !wrote {
        // The engine waits for the last write of this connection: events that were there already were another's.
        write_something(connection, keys)?;
    }
    let is_there = match options.acks {
        Acks::Primary => true,
        Acks::Replica => {
            let replicas: u64 = redis::cmd("WAIT").arg(1).arg(ms).query(connection)?;
            replicas >= 1
        }
        Acks::Disk => {
            let mut wait = redis::cmd("WAITAOF");
            let (own, replicas): (u64, u64) = wait.arg(1).arg(1).arg(ms).query(connection)?;
            own >= 1 && replicas >= 1
        }
    };
    is_there.then_some(()).ok_or(Fault::Alone(within))
}

/// Writes something that means nothing.
pub(super) fn write_something(connection: &mut Connection, keys: &Keys) -> Result<(), Fault> {
    let mut write = redis::cmd("HINCRBY");
    Ok(write.arg(&keys.meta).arg("waits").arg(1).exec(connection)?)
}
