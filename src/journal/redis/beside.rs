//! All that is kept beside events: checkpoints, texts, sessions, an admin's decisions.

use std::sync::atomic::Ordering;

use super::{
    decisions,
    keys::Keys,
    past,
    writer::{Writer, is_cut},
};
use crate::journal::{JournalError, Seq, queue::Decide};

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
        let done = self.call(|connection, _, _| Ok(pipe.exec(connection)?));
        done.map_err(|(fault, error)| {
            if is_cut(&fault) {
                self.ill(&fault.to_string());
            }
            error
        })
    }

    /// Keeps a part of a checkpoint, or its last one: from then on that is the newest checkpoint.
    pub(super) fn checkpoint(
        &mut self,
        seq: Seq,
        part: Option<u32>,
        text: &str,
    ) -> Result<(), JournalError> {
        let parts = self.shared.keys.parts(seq, &self.shared.options.node);
        if let Some(part) = part {
            return self.pipe(|pipe, _| {
                if part == 0 {
                    pipe.del(&parts).ignore();
                }
                pipe.hset(&parts, part, text).ignore();
                pipe.cmd("EXPIRE").arg(&parts).arg(PARTS_SECONDS).ignore();
            });
        }
        let told = self.call(|connection, _, shared| {
            let count: u32 = redis::cmd("HLEN").arg(&parts).query(connection)?;
            let before = past::checkpoint(connection, &shared.keys)?;
            Ok((count, before))
        });
        let (count, before) = told.map_err(|(_, error)| error)?;
        self.pipe(|pipe, keys| {
            pipe.hset(&parts, count, text).ignore();
            pipe.cmd("PERSIST").arg(&parts).ignore();
            pipe.set(&keys.checkpoint, format!("{seq} {parts}"))
                .ignore();
            if let Some((_, before)) = before.filter(|(_, before)| *before != parts) {
                pipe.del(before).ignore();
            }
        })?;
        self.shared.checkpoint.store(seq, Ordering::Release);
        Ok(())
    }

    pub(super) fn sessions(
        &mut self,
        changes: &[(String, Option<String>)],
    ) -> Result<(), JournalError> {
        self.pipe(|pipe, keys| {
            for (name, text) in changes {
                match text {
                    Some(text) => pipe.hset(&keys.sessions, name, text).ignore(),
                    None => pipe.hdel(&keys.sessions, name).ignore(),
                };
            }
        })
    }

    /// Keeps all of these decisions or none, and answers.
    pub(super) fn decide(&mut self, waiting: Vec<Decide>, release: impl FnOnce()) {
        if waiting.is_empty() {
            return;
        }
        let kept = self.pipe(|pipe, keys| {
            for decision in waiting.iter().flat_map(|decide| &decide.decisions) {
                match decisions::field(decision) {
                    (name, Some(text)) => pipe.hset(&keys.decisions, name, text).ignore(),
                    (name, None) => pipe.hdel(&keys.decisions, name).ignore(),
                };
            }
            pipe.hincr(&keys.meta, "decided", 1).ignore();
        });
        // An admin who hears of it finds room for the next.
        release();
        for decide in waiting {
            decide.reply.send(kept.clone()).ok();
        }
    }
}
