//! The one writer: a transaction for all that waits.

use std::{
    sync::{
        Arc,
        atomic::Ordering,
        mpsc::{Receiver, RecvTimeoutError},
    },
    time::{Duration, Instant},
};

use rusqlite::{Connection, Transaction, TransactionBehavior};
use tokio::sync::oneshot;

use super::{JournalError, Outcome, Record, Seq, Shared, SqliteOptions, trim::Trimmer};
use crate::event::{Event, Timestamp};

/// Events in one transaction at the most: a bound on how long the first of them waits for the last.
const BATCH: usize = 4_096;
/// How often there are chores while nothing comes in.
const CHORES: Duration = Duration::from_millis(500);

/// What the writer is asked for.
#[derive(Debug)]
pub(super) enum Job {
    Append(Append),
    Checkpoint {
        seq: Seq,
        state: String,
        reply: oneshot::Sender<Result<(), JournalError>>,
    },
    Stop,
}

/// Events to be kept, with their text.
#[derive(Debug)]
pub(super) struct Append {
    /// Each with the text that is stored, made before: the writer only writes.
    pub(super) events: Vec<(String, Arc<Event>)>,
    /// What delivery is measured from.
    pub(super) accepted: Instant,
    /// The producer is answered when it is kept.
    pub(super) reply: oneshot::Sender<Result<Vec<Outcome>, JournalError>>,
}

#[derive(Debug)]
pub(super) struct Writer {
    /// The only one that writes.
    connection: Connection,
    /// What others look at.
    shared: Arc<Shared>,
    /// Goes a step between two batches.
    trimmer: Trimmer,
    /// When the last chores were done.
    chores_at: Instant,
}

impl Writer {
    pub(super) fn new(
        connection: Connection,
        shared: Arc<Shared>,
        options: &SqliteOptions,
    ) -> Self {
        Self {
            connection,
            shared,
            trimmer: Trimmer::new(options),
            chores_at: Instant::now(),
        }
    }

    pub(super) fn run(mut self, queue: &Receiver<Job>) {
        loop {
            let mut next = match queue.recv_timeout(CHORES) {
                Ok(job) => Some(job),
                Err(RecvTimeoutError::Timeout) => None,
                Err(RecvTimeoutError::Disconnected) => return,
            };
            let (mut appends, mut count) = (Vec::new(), 0);
            while let Some(job) = next.take() {
                match job {
                    Job::Append(append) => {
                        count += append.events.len();
                        appends.push(append);
                    }
                    Job::Checkpoint { seq, state, reply } => {
                        reply.send(self.checkpoint(seq, &state)).ok();
                    }
                    Job::Stop => {
                        self.commit(appends);
                        // An empty log says that the end was an orderly one.
                        let empty = "PRAGMA wal_checkpoint(TRUNCATE)";
                        self.connection.execute_batch(empty).ok();
                        return;
                    }
                }
                if count < BATCH {
                    next = queue.try_recv().ok();
                }
            }
            self.commit(appends);
            if self.chores_at.elapsed() >= CHORES || self.trimmer.has_more() {
                self.chores();
            }
        }
    }

    /// Keeps all of these or none, and answers.
    fn commit(&mut self, appends: Vec<Append>) {
        if appends.is_empty() {
            return;
        }
        let last = self.shared.last.load(Ordering::Acquire);
        match insert(&mut self.connection, &appends, last) {
            Ok(outcomes) => {
                let mut newest = last;
                for (append, outcomes) in appends.iter().zip(&outcomes) {
                    let stored = append.events.iter().zip(outcomes).filter_map(
                        |((text, event), outcome)| {
                            let &Outcome::Stored(seq) = outcome else {
                                return None;
                            };
                            newest = seq;
                            Some(Arc::new(Record {
                                seq,
                                weight: text.len(),
                                event: event.clone(),
                                accepted: append.accepted,
                            }))
                        },
                    );
                    self.shared.tail.push(stored);
                }
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

    fn checkpoint(&mut self, seq: Seq, state: &str) -> Result<(), JournalError> {
        let save = |connection: &mut Connection| -> rusqlite::Result<()> {
            let save = connection.transaction()?;
            save.execute(
                "INSERT OR REPLACE INTO checkpoints VALUES (?1, ?2)",
                (seq, state),
            )?;
            save.execute("DELETE FROM checkpoints WHERE seq < ?1", [seq])?;
            save.commit()
        };
        save(&mut self.connection).map_err(|e| self.ill(&e))?;
        self.shared.checkpoint.store(seq, Ordering::Release);
        Ok(())
    }

    fn chores(&mut self) {
        self.chores_at = Instant::now();
        let was_ill = self
            .shared
            .trouble
            .lock()
            .is_ok_and(|trouble| trouble.is_some());
        if was_ill {
            // Nobody may come to try: see whether it works again.
            let probe = "INSERT OR REPLACE INTO meta VALUES ('probe', randomblob(8192))";
            match self.connection.execute(probe, []) {
                Ok(_) => self.well(),
                Err(error) => drop(self.ill(&error)),
            }
            return;
        }
        if let Err(error) = self.trimmer.step(&mut self.connection, &self.shared) {
            self.ill(&error);
        }
    }

    fn well(&self) {
        let mut trouble = self
            .shared
            .trouble
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        if trouble.take().is_some() {
            tracing::info!("the journal can be written again");
        }
    }

    fn ill(&self, error: &rusqlite::Error) -> JournalError {
        let reason = error.to_string();
        tracing::error!(%reason, "the journal can't be written; publishers are told to come back");
        self.shared.set_trouble(Some(reason.clone()));
        JournalError(reason)
    }
}

fn insert(
    connection: &mut Connection,
    appends: &[Append],
    mut last: Seq,
) -> rusqlite::Result<Vec<Vec<Outcome>>> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let accepted = Timestamp::now().as_micros();
    let outcomes = appends
        .iter()
        .map(|append| {
            append
                .events
                .iter()
                .map(|(text, event)| insert_one(&transaction, event, text, accepted, &mut last))
                .collect()
        })
        .collect::<rusqlite::Result<_>>()?;
    transaction.commit()?;
    Ok(outcomes)
}

fn insert_one(
    transaction: &Transaction<'_>,
    event: &Event,
    text: &str,
    accepted: i64,
    last: &mut Seq,
) -> rusqlite::Result<Outcome> {
    let mut insert = transaction.prepare_cached(
        "INSERT INTO events (seq, id, accepted, event) VALUES (?1, ?2, ?3, ?4) ON CONFLICT (id) DO NOTHING",
    )?;
    let seq = *last + 1;
    if insert.execute((seq, &*event.id, accepted, text))? == 1 {
        *last = seq;
        return Ok(Outcome::Stored(seq));
    }
    let mut find = transaction.prepare_cached("SELECT seq FROM events WHERE id = ?1")?;
    Ok(Outcome::Duplicate(
        find.query_row([&*event.id], |row| row.get(0))?,
    ))
}
