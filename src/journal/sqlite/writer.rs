//! The one writer: a transaction for all jobs that wait.

use std::{
    sync::{Arc, atomic::Ordering},
    time::{Duration, Instant},
};

use rusqlite::{Connection, ErrorCode, Transaction, TransactionBehavior};

use super::{
    clock::Now,
    decisions, kept,
    options::{Durability, SqliteOptions},
    sessions,
    shared::Shared,
    trim::Trimmer,
    watch::{Lost, Watch},
};
use crate::{
    journal::{
        Entry, JournalError, Outcome, Seq,
        queue::{Append, Decide, Job, Queue, TakeLimits},
    },
    timestamp::Timestamp,
};

/// The most of one transaction. The events are a bound on the time that the first of them waits for the last.
const TAKE_LIMITS: TakeLimits = TakeLimits {
    events: 4_096,
    bytes: 8 << 20,
};
/// The time between two chores while no job comes. A change of the file is noticed within this time.
const CHORES_INTERVAL: Duration = Duration::from_millis(250);

#[derive(Debug)]
pub(super) struct Writer {
    /// The only one that writes.
    connection: Connection,
    shared: Arc<Shared>,
    /// Trims a step between two transactions.
    trimmer: Trimmer,
    /// Watches the file at the path.
    watch: Watch,
    /// The last chores.
    chores_at: Instant,
    /// The last look at the file.
    looked_at: Instant,
    /// Whether trimming fails, which is logged once.
    trim_failed: bool,
    /// The moment at which events are with the disk.
    durability: Durability,
}

impl Writer {
    pub(super) fn new(
        connection: Connection,
        shared: Arc<Shared>,
        options: &SqliteOptions,
        watch: Watch,
    ) -> Self {
        Self {
            connection,
            shared,
            trimmer: Trimmer::new(options, Now::read()),
            watch,
            chores_at: Instant::now(),
            looked_at: Instant::now(),
            trim_failed: false,
            durability: options.durability,
        }
    }

    pub(super) fn run(mut self, queue: &Queue) {
        loop {
            let taken = queue.take(CHORES_INTERVAL, TAKE_LIMITS);
            let (mut appends, mut decided) = (Vec::with_capacity(taken.jobs.len()), Vec::new());
            let mut stop = false;
            for job in taken.jobs {
                match job {
                    Job::Append(append) => appends.push(append),
                    Job::Decide(decide) => decided.push(decide),
                    Job::Checkpoint {
                        epoch: _,
                        seq,
                        part,
                        text,
                        reply,
                    } => {
                        reply.send(self.checkpoint(seq, part, &text)).ok();
                    }
                    Job::Text { name, text, reply } => {
                        let save = |connection: &mut _| kept::write(connection, name, &text);
                        reply.send(self.save(save)).ok();
                    }
                    Job::Sessions { changes, reply } => {
                        let save = |connection: &mut _| sessions::write(connection, &changes);
                        reply.send(self.save(save).map(|()| Vec::new())).ok();
                    }
                    Job::Stop => stop = true,
                }
            }
            self.shared
                .set_writing(!appends.is_empty() || !decided.is_empty());
            self.decide(decided, || queue.decided(taken.decision_bytes));
            self.commit(appends);
            self.shared.set_writing(false);
            queue.done(taken.bytes, taken.events);
            if stop {
                queue.close();
                // An empty log shows that the end was an orderly one.
                let empty = "PRAGMA wal_checkpoint(TRUNCATE)";
                self.connection.execute_batch(empty).ok();
                return;
            }
            if self.chores_at.elapsed() >= CHORES_INTERVAL || self.trimmer.has_more() {
                self.chores(queue);
            }
        }
    }

    /// Keeps all of these events or none, and answers.
    fn commit(&mut self, mut appends: Vec<Append>) {
        // Appends whose callers are gone need not be kept.
        let all = appends.len();
        appends.retain(|append| !append.reply.is_closed());
        let given_up = all - appends.len();
        self.shared.metrics.given_up.inc_by(given_up as u64);
        if appends.is_empty() {
            return;
        }
        if let Err(error) = self.may_append() {
            for append in appends {
                append.reply.send(Err(error.clone())).ok();
            }
            return;
        }
        let last = self.shared.last.load(Ordering::Acquire);
        match insert(&mut self.connection, &mut appends, last) {
            Ok(outcomes) => {
                self.shared.metrics.transactions.inc();
                let mut newest = last;
                let stored = appends
                    .iter()
                    .zip(&outcomes)
                    .flat_map(|(append, outcomes)| {
                        let entries = append.entries.iter().zip(outcomes);
                        entries.filter_map(|(entry, outcome)| match *outcome {
                            Outcome::Stored(seq) | Outcome::Conflict(seq) => {
                                Some(entry.at(seq, append.accepted))
                            }
                            Outcome::Duplicate(_) => None,
                        })
                    });
                self.shared
                    .tail
                    .push(stored.inspect(|record| newest = record.seq));
                self.shared.last.store(newest, Ordering::Release);
                self.shared.grown.send_replace(newest);
                self.well();
                for (append, outcomes) in appends.into_iter().zip(outcomes) {
                    append.reply.send(Ok(outcomes)).ok();
                }
            }
            Err(error) => {
                let error = self.ill(&error);
                for append in appends {
                    append.reply.send(Err(error.clone())).ok();
                }
            }
        }
    }

    /// Keeps all of these decisions or none, and answers. They are with the disk then, whatever holds for events: they are few,
    /// and nobody makes them again after a power cut. `release` gives back their room in the queue.
    fn decide(&mut self, waiting: Vec<Decide>, release: impl FnOnce()) {
        if waiting.is_empty() {
            return;
        }
        // Not only now and then: the file may have been taken away a moment ago.
        self.look();
        let kept = self.is_there().and_then(|()| {
            let written = decisions::keep(&mut self.connection, self.durability, &waiting);
            written.map_err(|error| self.ill(&error))
        });
        if kept.is_ok() {
            self.well();
        }
        // An admin who hears of it finds room for the next.
        release();
        for decide in waiting {
            decide.reply.send(kept.clone()).ok();
        }
    }

    /// Whether events may be tried: the file is there, and the breaker is closed.
    fn may_append(&mut self) -> Result<(), JournalError> {
        self.is_there()?;
        let open = self.shared.breaker.check();
        open.map_err(|refused| JournalError::Unavailable(refused.to_string()))
    }

    /// Whether the file is still there; it is looked at now and then.
    fn is_there(&mut self) -> Result<(), JournalError> {
        if self.looked_at.elapsed() >= CHORES_INTERVAL {
            self.look();
        }
        match self.shared.lost() {
            Some(lost) => {
                self.shared.breaker.failed(lost.reason());
                Err(JournalError::Unavailable(lost.reason().into()))
            }
            None => Ok(()),
        }
    }

    /// Keeps a part of a checkpoint, or its last one: from then on that is the newest checkpoint.
    fn checkpoint(&mut self, seq: Seq, part: Option<u32>, text: &str) -> Result<(), JournalError> {
        self.save(|connection| kept::checkpoint(connection, seq, part, text))?;
        if part.is_none() {
            self.shared.checkpoint.store(seq, Ordering::Release);
        }
        Ok(())
    }

    /// Keeps something beside the events.
    fn save(
        &mut self,
        save: impl FnOnce(&mut Connection) -> rusqlite::Result<()>,
    ) -> Result<(), JournalError> {
        self.may_append()?;
        save(&mut self.connection).map_err(|error| self.ill(&error))
    }

    fn chores(&mut self, queue: &Queue) {
        self.chores_at = Instant::now();
        self.shared.gauge(queue);
        self.look();
        if let Some(lost) = self.shared.lost() {
            self.shared.breaker.failed(lost.reason());
            return;
        }
        if self.shared.is_ill() || !self.shared.breaker.is_closed() {
            // No producer may come to try, so the writer tries by itself.
            let Some(_probe) = self.shared.breaker.probe() else {
                return;
            };
            let probe = "INSERT OR REPLACE INTO meta VALUES ('probe', randomblob(8192))";
            match self.connection.execute(probe, []) {
                Ok(_) => self.well(),
                Err(error) => drop(self.ill(&error)),
            }
            return;
        }
        let trimmed = self
            .trimmer
            .step(&mut self.connection, &self.shared, Now::read());
        match trimmed {
            Ok(()) => {}
            // Old events stay, and the journal goes on.
            Err(error) if error.sqlite_error_code() == Some(ErrorCode::DatabaseCorrupt) => {
                if !std::mem::replace(&mut self.trim_failed, true) {
                    tracing::error!(%error, "the oldest events can't be let go of because the file is damaged; `stoa repair` makes a copy that is not");
                }
            }
            Err(error) => drop(self.ill(&error)),
        }
    }

    /// Checks whether the file is still the one at its path.
    fn look(&mut self) {
        self.looked_at = Instant::now();
        let before = self.shared.lost();
        if before.is_some_and(Lost::is_final) {
            return;
        }
        let now = self.watch.look();
        if now == before {
            return;
        }
        self.shared.set_lost(now);
        match now {
            Some(lost) => {
                self.shared.metrics.file_lost.inc();
                let reason = lost.reason();
                tracing::error!(%reason, "nothing is kept any more; publishers are told to come back");
                if lost == Lost::LogGone {
                    // The log without a name can still be read: SQLite copies it into the file itself.
                    let whole = "PRAGMA wal_checkpoint(FULL)";
                    self.connection.execute_batch(whole).ok();
                }
            }
            None => tracing::info!("the journal's file is back"),
        }
    }

    fn well(&self) {
        self.shared.breaker.succeeded();
        if self.shared.set_trouble(None).is_some() {
            tracing::info!("the journal can be written again");
        }
    }

    fn ill(&self, error: &rusqlite::Error) -> JournalError {
        let reason = error.to_string();
        self.shared.breaker.failed(&reason);
        let before = self.shared.set_trouble(Some(reason.clone()));
        if before.as_ref() != Some(&reason) {
            tracing::error!(%reason, "the journal can't be written; publishers are told to come back");
        }
        JournalError::Unavailable(reason)
    }
}

fn insert(
    connection: &mut Connection,
    appends: &mut [Append],
    mut last: Seq,
) -> rusqlite::Result<Vec<Vec<Outcome>>> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let accepted = Timestamp::now().as_micros();
    let outcomes = appends
        .iter_mut()
        .map(|append| {
            append
                .entries
                .iter_mut()
                .map(|entry| insert_one(&transaction, entry, accepted, &mut last))
                .collect()
        })
        .collect::<rusqlite::Result<_>>()?;
    transaction.commit()?;
    Ok(outcomes)
}

/// Inserts an event. If its id stands for another event, it is renamed.
fn insert_one(
    transaction: &Transaction<'_>,
    entry: &mut Entry,
    accepted: i64,
    last: &mut Seq,
) -> rusqlite::Result<Outcome> {
    if let Some(seq) = try_insert(transaction, entry, accepted, last)? {
        return Ok(Outcome::Stored(seq));
    }
    let (seq, content) = find(transaction, entry)?;
    // Of older events without a content hash only the ids are known.
    if content.is_none_or(|content| content == as_stored(entry.content)) {
        return Ok(Outcome::Duplicate(seq));
    }
    *entry = entry.renamed();
    match try_insert(transaction, entry, accepted, last)? {
        Some(seq) => Ok(Outcome::Conflict(seq)),
        None => Ok(Outcome::Duplicate(find(transaction, entry)?.0)),
    }
}

fn try_insert(
    transaction: &Transaction<'_>,
    entry: &Entry,
    accepted: i64,
    last: &mut Seq,
) -> rusqlite::Result<Option<Seq>> {
    let mut insert = transaction.prepare_cached(
        "INSERT INTO events (seq, producer, id, content, accepted, event) VALUES (?1, ?2, ?3, ?4, ?5, ?6)
         ON CONFLICT (id, producer) DO NOTHING",
    )?;
    let seq = *last + 1;
    let content = as_stored(entry.content);
    let row = (
        seq,
        &*entry.producer,
        &*entry.id,
        content,
        accepted,
        &*entry.text,
    );
    let inserted = insert.execute(row)? == 1;
    if inserted {
        *last = seq;
    }
    Ok(inserted.then_some(seq))
}

/// The place of the event with this one's producer and id, and the hash of its content.
fn find(transaction: &Transaction<'_>, entry: &Entry) -> rusqlite::Result<(Seq, Option<i64>)> {
    let mut find = transaction
        .prepare_cached("SELECT seq, content FROM events WHERE id = ?2 AND producer = ?1")?;
    find.query_row((&*entry.producer, &*entry.id), |row| {
        Ok((row.get(0)?, row.get(1)?))
    })
}

/// The hash as SQLite stores it: its numbers have a sign.
fn as_stored(content: u64) -> i64 {
    i64::from_ne_bytes(content.to_ne_bytes())
}
