//! All that is kept beside events: checkpoints, texts, sessions, an admin's decisions.

use redis::Connection;

use super::{
    decisions,
    saving::SavingParts,
    scripts::{CheckpointAnswer, LastPart, Scripts},
    shared::Shared,
    writer::{Writer, wait_for_replica},
};
use crate::{
    engine::Fault,
    journal::{Epoch, JournalError, KeptText, Seq, SessionChange, queue::Decide},
    timestamp::Timestamp,
};

/// The time after which parts of a checkpoint without a last one are deleted.
const PARTS_SECONDS: u64 = 600;
/// The time after which a text of one node is deleted that nobody has written again: nodes may have another name each time.
const TEXT_SECONDS: u64 = 30 * 86_400;

impl Writer {
    /// Keeps a text.
    pub(super) fn save_text(&mut self, name: KeptText, text: String) -> Result<(), JournalError> {
        let mut set = redis::cmd("SET");
        set.arg(self.shared.keys.text(name, &self.shared.options.node))
            .arg(text);
        if !name.is_shared() {
            set.arg("EX").arg(TEXT_SECONDS);
        }
        self.twice(|connection, _, _| Ok(set.exec(connection)?))
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
        let mut pipe = redis::pipe();
        pipe.atomic();
        pipe.hset(&saving.key, part, text);
        pipe.cmd("EXPIRE").arg(&saving.key).arg(PARTS_SECONDS);
        self.twice(|connection, _, _| Ok(pipe.exec(connection)?))
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
