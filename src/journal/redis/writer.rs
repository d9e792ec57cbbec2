//! The one that writes: a call of the script for all appends that wait.

use std::{
    fmt,
    sync::{Arc, atomic::Ordering},
    time::{Duration, Instant},
};

use redis::{Connection, ErrorKind};

use super::{
    engine::Fault,
    options::{Acks, RedisOptions},
    scripts::{Kept, Scripts, Told, id_of},
    shared::{Part, Shared},
};
use crate::{
    journal::{
        Entry, JournalError, Outcome,
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

pub(super) struct Writer {
    pub(super) shared: Arc<Shared>,
    pub(super) scripts: Scripts,
    pub(super) connection: Option<Connection>,
    pub(super) chores_at: Instant,
    pub(super) leased_at: Option<Instant>,
    /// Whether a step of trimming found more to do.
    pub(super) trims: bool,
}

/// An event on its way.
struct Sent {
    entry: Arc<Entry>,
    kept: Kept,
}

impl Sent {
    fn new(entry: Entry) -> Self {
        Self {
            kept: Kept {
                id: id_of(&entry),
                content: entry.content.to_string(),
                text: entry.text.clone(),
            },
            entry: Arc::new(entry),
        }
    }
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
        }
    }

    pub(super) fn run(mut self, queue: &Queue) {
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
                        seq,
                        part,
                        text,
                        reply,
                    } => {
                        reply.send(self.checkpoint(seq, part, &text)).ok();
                    }
                    Job::Text { name, text, reply } => {
                        let field = format!("{}:{}", name.name(), self.shared.options.node);
                        let saved = self.command("HSET", |set, keys| {
                            set.arg(&keys.texts).arg(field).arg(text);
                        });
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
        self.shared.sends(noted);
        match self.append(&mut events) {
            Ok(outcomes) => {
                self.shared.metrics.transactions.inc();
                let mut outcomes = outcomes.into_iter();
                for (count, reply) in replies {
                    reply.send(Ok(outcomes.by_ref().take(count).collect())).ok();
                }
            }
            Err(error) => {
                for (sent, _) in &events {
                    self.shared.came(&sent.kept.id);
                }
                for (_, reply) in replies {
                    reply.send(Err(error.clone())).ok();
                }
            }
        }
    }

    /// Appends events; one whose id stands for another event is renamed.
    fn append(&mut self, events: &mut [(Sent, Instant)]) -> Result<Vec<Outcome>, JournalError> {
        let before = self.shared.last.load(Ordering::Acquire);
        let mut outcomes: Vec<Outcome> = Vec::with_capacity(events.len());
        let mut renamed = false;
        let mut again = false;
        while outcomes.len() < events.len() {
            let rest = &events[outcomes.len()..];
            let now = Timestamp::now().as_micros() / 1_000;
            let told = self.call(|connection, scripts, shared| {
                let kept = rest.iter().map(|(sent, _)| &sent.kept);
                let (_, told) = scripts.append(connection, &shared.keys, now, kept)?;
                let RedisOptions { acks, timeout, .. } = shared.options;
                wait_for_replica(connection, acks, timeout, &told)?;
                Ok(told)
            });
            let told = match told {
                Ok(told) => told,
                // The connection ended, and perhaps only the answer was lost: ids make a second try harmless.
                Err((fault, _)) if !again && is_cut(&fault) => {
                    again = true;
                    continue;
                }
                Err((_, error)) => return Err(error),
            };
            for one in told {
                let at = outcomes.len();
                let Some((sent, accepted)) = events.get_mut(at) else {
                    break;
                };
                match one {
                    Told::Kept(seq) if std::mem::take(&mut renamed) => {
                        outcomes.push(Outcome::Conflict(seq));
                    }
                    Told::Kept(seq) => outcomes.push(Outcome::Stored(seq)),
                    // Kept by the first try, whose answer was lost.
                    Told::Known(seq) if again && seq > before => {
                        renamed = false;
                        outcomes.push(Outcome::Stored(seq));
                    }
                    Told::Known(seq) => {
                        renamed = false;
                        self.shared.came(&sent.kept.id);
                        outcomes.push(Outcome::Duplicate(seq));
                    }
                    Told::Conflict => {
                        self.shared.came(&sent.kept.id);
                        *sent = Sent::new(sent.entry.renamed());
                        let noted = (sent.kept.id, sent.entry.clone(), *accepted);
                        self.shared.sends(std::iter::once(noted));
                        renamed = true;
                    }
                }
            }
        }
        Ok(outcomes)
    }

    /// Calls the engine, and notes how it is.
    pub(super) fn call<T>(
        &mut self,
        call: impl FnOnce(&mut Connection, &Scripts, &Shared) -> Result<T, Fault>,
    ) -> Result<T, (Fault, JournalError)> {
        let answer = match &mut self.connection {
            Some(connection) => call(connection, &self.scripts, &self.shared),
            None => {
                let timeout = self.shared.options.timeout;
                self.shared.engine.connect(timeout).and_then(|new| {
                    let connection = self.connection.insert(new);
                    call(connection, &self.scripts, &self.shared)
                })
            }
        };
        match answer {
            Ok(answer) => {
                if self.shared.set_trouble(Part::Writer, None).is_some() {
                    tracing::info!("the journal's engine takes events again");
                }
                Ok(answer)
            }
            Err(fault) => {
                if !matches!(fault, Fault::Alone(_)) {
                    self.connection = None;
                }
                let reason = fault.to_string();
                if is_cut(&fault) {
                    // Tried again at once.
                    return Err((fault, JournalError::Unavailable(reason)));
                }
                self.ill(&reason);
                Err((fault, JournalError::Unavailable(reason)))
            }
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
    acks: Acks,
    timeout: Duration,
    told: &[Told],
) -> Result<(), Fault> {
    let within = timeout / 2;
    let ms = u64::try_from(within.as_millis()).unwrap_or(u64::MAX);
    if !told.iter().any(|told| !matches!(told, Told::Conflict)) {
        return Ok(());
    }
    let is_there = match acks {
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

/// Whether the connection ended before the answer, and not because the answer took too long.
pub(super) fn is_cut(fault: &Fault) -> bool {
    let Fault::Engine(error) = fault else {
        return false;
    };
    let is_time = error.is_timeout();
    (error.is_connection_dropped() || error.kind() == ErrorKind::Io) && !is_time
}
