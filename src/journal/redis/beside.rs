//! All that is kept beside events: checkpoints, texts, sessions, an admin's decisions.

use redis::Connection;

use super::{
    decisions,
    keys::{Keys, SavingParts},
    scripts::{CheckpointAnswer, LastPart, Scripts},
    shared::Shared,
    writer::{Writer, wait_for_replica},
};
use crate::{
    engine::Fault,
    journal::{Epoch, JournalError, Seq, SessionChange, queue::Decide},
    timestamp::Timestamp,
};

/// The time after which parts of a checkpoint without a last one are deleted.
const PARTS_SECONDS: u64 = 600;

impl Writer {
    /// Runs one command, whose answer says nothing.
    pub(super) fn command(
        &mut self,
        name: &'static str,
        fill: impl FnOnce(&mut redis::Cmd, &Keys),
    ) -> Result<(), JournalError> {
        let mut command = redis::cmd(name);
        fill(&mut command, &self.shared.keys);
        self.pipe(|pipe, _| {
            pipe.add_command(command);
        })
    }

    /// Runs commands together, whose answers say nothing.
    fn pipe(&mut self, fill: impl FnOnce(&mut redis::Pipeline, &Keys)) -> Result<(), JournalError> {
        let mut pipe = redis::pipe();
        pipe.atomic();
        fill(&mut pipe, &self.shared.keys);
        self.twice(|connection, _, _| Ok(pipe.exec(connection)?))
    }

    /// Calls the engine; once more if the connection ends meanwhile.
    fn twice(
        &mut self,
        call: impl Fn(&mut Connection, &Scripts, &Shared) -> Result<(), Fault>,
    ) -> Result<(), JournalError> {
        let mut tries = 0;
        loop {
            tries += 1;
            match self.call(&call) {
                Ok(()) => return Ok(()),
                // The connection may have been idle for long; twice is as good as once.
                Err((fault, _)) if fault.is_cut() && tries == 1 => {}
                Err((fault, error)) => {
                    self.ill(&fault.to_string());
                    return Err(error);
                }
            }
        }
    }

    /// Keeps sessions, or lets go of them; the names of those that another node holds.
    pub(super) fn sessions(
        &mut self,
        changes: &[SessionChange],
    ) -> Result<Vec<String>, JournalError> {
        let kept = self.call(|connection, scripts, shared| {
            let node = &shared.options.node;
            scripts
                .sessions
                .keep(connection, &shared.keys, node, changes)
        });
        kept.map_err(|(fault, error)| {
            self.ill(&fault.to_string());
            error
        })
    }

    /// Keeps a part of a checkpoint that is not its last.
    pub(super) fn checkpoint_part(
        &mut self,
        seq: Seq,
        part: u32,
        text: &str,
    ) -> Result<(), JournalError> {
        if part == 0 {
            self.saving = Some(self.new_checkpoint(seq));
        }
        let saving = self.saving.as_mut();
        let Some(saving) = saving.filter(|saving| (saving.seq, saving.parts) == (seq, part)) else {
            return Err(incomplete());
        };
        saving.parts += 1;
        let key = saving.key.clone();
        self.pipe(|pipe, _| {
            pipe.hset(&key, part, text).ignore();
            pipe.cmd("EXPIRE").arg(&key).arg(PARTS_SECONDS).ignore();
        })
    }

    /// Keeps the last part of a checkpoint: from then on that is the newest one, unless a newer one is there.
    pub(super) fn last_checkpoint_part(
        &mut self,
        (epoch, seq): (Epoch, Seq),
        text: &str,
    ) -> Result<(), JournalError> {
        let saving = self.saving.take().filter(|saving| saving.seq == seq);
        let saving = saving.unwrap_or_else(|| self.new_checkpoint(seq));
        let last = LastPart {
            key: &saving.key,
            epoch,
            seq,
            before: saving.parts,
            text,
        };
        let kept = self.call(|connection, scripts, shared| {
            scripts.checkpoint(connection, &shared.keys, (&shared.holder, last))
        });
        match kept.map_err(|(_, error)| error)? {
            CheckpointAnswer::Kept | CheckpointAnswer::Newer => Ok(()),
            CheckpointAnswer::NoLease => Err(JournalError::Unavailable(
                "another node saves the state now".into(),
            )),
            CheckpointAnswer::NoParts => Err(incomplete()),
            CheckpointAnswer::OtherHistory => Err(JournalError::Unavailable(
                "the journal's engine lost events that this state holds".into(),
            )),
        }
    }

    fn new_checkpoint(&mut self, seq: Seq) -> SavingParts {
        self.checkpoints += 1;
        let shared = &self.shared;
        SavingParts {
            seq,
            key: shared.keys.parts(seq, &shared.holder, self.checkpoints),
            parts: 0,
        }
    }

    /// Keeps all of these decisions or none, and answers.
    pub(super) fn decide(&mut self, waiting: Vec<Decide>, release: impl FnOnce()) {
        if waiting.is_empty() {
            return;
        }
        let keys = &self.shared.keys;
        let mut pipe = redis::pipe();
        pipe.atomic();
        for decision in waiting.iter().flat_map(|decide| &decide.decisions) {
            match decisions::field(decision) {
                (name, Some(text)) => pipe.hset(&keys.decisions, name, text).ignore(),
                (name, None) => pipe.hdel(&keys.decisions, name).ignore(),
            };
        }
        pipe.hincr(&keys.meta, "decided", 1).ignore();
        let kept = self.twice(|connection, scripts, shared| {
            // A generation begins before, so that what a promoted replica lacks is told from what it is given.
            let now = Timestamp::now().as_micros() / 1_000;
            scripts.begin(connection, &shared.keys, now)?;
            Ok(pipe.exec(connection)?)
        });
        // An admin is told that somebody is kept out when as many engines know it as know of an event that is acknowledged.
        let kept = kept.and_then(|()| {
            let waited = self.call(|connection, _, shared| {
                wait_for_replica(connection, &shared.keys, &shared.options, true)
            });
            waited.map_err(|(_, error)| error)
        });
        // An admin who hears of it finds room for the next.
        release();
        for decide in waiting {
            decide.reply.send(kept.clone()).ok();
        }
    }
}

fn incomplete() -> JournalError {
    JournalError::Unavailable("a part of the state was not kept".into())
}
