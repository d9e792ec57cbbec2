//! The scripts, and the forms of what they are given and answer.

use std::fmt::Write;

use aws_lc_rs::digest;
use redis::{Connection, Script, ScriptInvocation};

use super::{keys::Keys, sessions::SessionScripts};
use crate::{
    engine::Fault,
    journal::{Entry, Epoch, Seq},
};

/// The id of an event in the engine: of its producer and its own id.
pub(super) type Id = [u8; 16];

/// The id of an entry.
pub(super) fn id_of(entry: &Entry) -> Id {
    let mut context = digest::Context::new(&digest::SHA256);
    context.update(entry.producer.as_bytes());
    context.update(&[0]);
    context.update(entry.id.as_bytes());
    let hash = context.finish();
    let mut id = Id::default();
    for (to, from) in id.iter_mut().zip(hash.as_ref()) {
        *to = *from;
    }
    id
}

/// An event as the engine keeps it.
#[derive(Debug, Clone)]
pub(super) struct Kept {
    pub(super) id: Id,
    /// The hash of its content.
    pub(super) content: u64,
    pub(super) text: std::sync::Arc<str>,
}

impl Kept {
    pub(super) fn new(id: Id, entry: &Entry) -> Self {
        Self {
            id,
            content: entry.content,
            text: entry.text.clone(),
        }
    }
}

/// The answer for one event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Told {
    Kept(Seq),
    Known(Seq),
    /// Its id stands for another event.
    Conflict,
}

/// The answer to an append.
#[derive(Debug)]
pub(super) enum Appended {
    /// The present generation is not the one that the caller has compared: nothing was tried.
    CompareFirst(Epoch),
    /// The answer for each event, up to the first whose id stands for another one.
    Told(Vec<Told>),
}

/// The answer to the last part of a checkpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum CheckpointAnswer {
    Kept,
    /// A newer one is kept already.
    Newer,
    /// The node does not have the lease.
    NoLease,
    /// Some parts are missing: another engine has them.
    NoParts,
    /// The place is not of the present history.
    OtherHistory,
}

/// A checkpoint whose last part is to be kept.
#[derive(Debug, Clone, Copy)]
pub(super) struct LastPart<'a> {
    pub(super) key: &'a str,
    pub(super) epoch: Epoch,
    pub(super) seq: Seq,
    /// The number of the parts before it.
    pub(super) before: u32,
    pub(super) text: &'a str,
}

/// The most events and bytes of an entry of the stream: what is trimmed goes by whole entries.
const ENTRY_EVENTS: usize = 100;
const ENTRY_BYTES: usize = 128 << 10;

/// Events that may share an entry of the stream, as the script is given them.
#[derive(Debug, Default)]
struct Together {
    ids: Vec<u8>,
    contents: String,
    lengths: String,
    texts: String,
}

impl Together {
    fn add(&mut self, event: &Kept) {
        let space = if self.ids.is_empty() { "" } else { " " };
        self.ids.extend(event.id);
        // Writing to a text can't fail.
        write!(self.contents, "{space}{}", event.content).ok();
        write!(self.lengths, "{space}{}", event.text.len()).ok();
        self.texts.push_str(&event.text);
    }

    fn is_full(&self) -> bool {
        self.ids.len() >= ENTRY_EVENTS * size_of::<Id>() || self.texts.len() >= ENTRY_BYTES
    }

    fn give(self, call: &mut ScriptInvocation<'_>) {
        call.arg(self.ids)
            .arg(self.contents)
            .arg(self.lengths)
            .arg(self.texts);
    }
}

/// Reads an answer of the script, which may be about several events in a row.
fn read_told(one: &str, told: &mut Vec<Told>) -> Option<()> {
    match one.split_at_checked(1)? {
        ("+", places) => {
            let (first, count) = places.split_once(':')?;
            let first: Seq = first.parse().ok()?;
            let end = first.checked_add(count.parse::<u16>().ok()?.into())?;
            told.extend((first..end).map(Told::Kept));
        }
        ("=", place) => told.push(Told::Known(place.parse().ok()?)),
        ("!", "") => told.push(Told::Conflict),
        _ => return None,
    }
    Some(())
}

/// The scripts of a journal.
#[derive(Debug)]
pub(super) struct Scripts {
    append: Script,
    checkpoint: Script,
    trim: Script,
    lease: Script,
    pub(super) sessions: SessionScripts,
    leave: Script,
}

/// The bounds of a step of trimming.
#[derive(Debug, Clone, Copy)]
pub(super) struct TrimBounds {
    pub(super) max_events: usize,
    pub(super) oldest_ms: i64,
    pub(super) max_bytes: u64,
}

/// The answer to a step of trimming.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct TrimAnswer {
    pub(super) first: Seq,
    pub(super) bytes: u64,
    pub(super) by_count: u64,
    pub(super) by_age: u64,
    pub(super) by_bytes: u64,
}

/// Events and bytes after which a step of trimming ends: the engine does nothing else meanwhile.
const TRIM_STEP: (usize, usize) = (200, 256 * 1_024);

impl Scripts {
    pub(super) fn new() -> Self {
        Self {
            append: Script::new(include_str!("scripts/append.lua")),
            checkpoint: Script::new(include_str!("scripts/checkpoint.lua")),
            trim: Script::new(include_str!("scripts/trim.lua")),
            lease: Script::new(include_str!("scripts/lease.lua")),
            sessions: SessionScripts::new(),
            leave: Script::new(include_str!("scripts/leave.lua")),
        }
    }

    /// Begins a generation where the engine's history is another than before.
    pub(super) fn begin(
        &self,
        connection: &mut Connection,
        keys: &Keys,
        now_ms: i64,
    ) -> Result<Epoch, Fault> {
        let none = std::iter::empty();
        let (epoch, _) = self.call_append(connection, keys, (now_ms, None), none)?;
        Ok(epoch)
    }

    /// Appends events in the generation that was compared, up to the first whose id stands for another one.
    pub(super) fn append<'k>(
        &self,
        connection: &mut Connection,
        keys: &Keys,
        (now_ms, compared): (i64, Epoch),
        events: impl Iterator<Item = &'k Kept>,
    ) -> Result<Appended, Fault> {
        let foreign = || Fault::Foreign(keys.meta.clone());
        let (epoch, told) = self.call_append(connection, keys, (now_ms, Some(compared)), events)?;
        if told.first().is_some_and(|one| one == "?") {
            return Ok(Appended::CompareFirst(epoch));
        }
        let mut answers = Vec::new();
        for one in &told {
            read_told(one, &mut answers).ok_or_else(foreign)?;
        }
        Ok(Appended::Told(answers))
    }

    fn call_append<'k>(
        &self,
        connection: &mut Connection,
        keys: &Keys,
        (now_ms, compared): (i64, Option<Epoch>),
        events: impl Iterator<Item = &'k Kept>,
    ) -> Result<(Epoch, Vec<String>), Fault> {
        let compared = compared.map_or(String::new(), |epoch| epoch.0.to_string());
        let mut call = self.append.prepare_invoke();
        call.key(&keys.meta)
            .key(&keys.stream)
            .key(&keys.ids)
            .key(&keys.generations)
            .arg(Epoch::mint().0)
            .arg(now_ms)
            .arg(compared);
        let mut together = Together::default();
        for event in events {
            together.add(event);
            if together.is_full() {
                std::mem::take(&mut together).give(&mut call);
            }
        }
        if !together.ids.is_empty() {
            together.give(&mut call);
        }
        let answer: Vec<String> = call.invoke(connection)?;
        let mut answer = answer.into_iter();
        let epoch = answer.next().and_then(|epoch| epoch.parse().ok());
        let foreign = || Fault::Foreign(keys.meta.clone());
        Ok((Epoch(epoch.ok_or_else(foreign)?), answer.collect()))
    }

    /// Keeps the last part of a checkpoint, if it is to be the newest one.
    pub(super) fn checkpoint(
        &self,
        connection: &mut Connection,
        keys: &Keys,
        (holder, last): (&str, LastPart<'_>),
    ) -> Result<CheckpointAnswer, Fault> {
        let mut call = self.checkpoint.prepare_invoke();
        call.key(&keys.checkpoint)
            .key(&keys.lease)
            .key(&keys.meta)
            .key(&keys.generations)
            .key(last.key)
            .arg(holder)
            .arg(last.seq)
            .arg(last.epoch.0)
            .arg(last.before)
            .arg(last.text);
        let answer: String = call.invoke(connection)?;
        match answer.as_str() {
            "kept" => Ok(CheckpointAnswer::Kept),
            "newer" => Ok(CheckpointAnswer::Newer),
            "lease" => Ok(CheckpointAnswer::NoLease),
            "parts" => Ok(CheckpointAnswer::NoParts),
            "history" => Ok(CheckpointAnswer::OtherHistory),
            _ => Err(Fault::Foreign(keys.checkpoint.clone())),
        }
    }

    /// Lets go of some of the oldest events.
    pub(super) fn trim(
        &self,
        connection: &mut Connection,
        keys: &Keys,
        (holder, bounds): (&str, TrimBounds),
    ) -> Result<TrimAnswer, Fault> {
        let mut call = self.trim.prepare_invoke();
        call.key(&keys.meta)
            .key(&keys.stream)
            .key(&keys.ids)
            .key(&keys.checkpoint)
            .key(&keys.lease)
            .arg(bounds.max_events)
            .arg(bounds.oldest_ms)
            .arg(bounds.max_bytes)
            .arg(holder)
            .arg(TRIM_STEP.0)
            .arg(TRIM_STEP.1);
        let (first, bytes, by_count, by_age, by_bytes): (String, String, u64, u64, u64) =
            call.invoke(connection)?;
        let foreign = |_| Fault::Foreign(keys.meta.clone());
        Ok(TrimAnswer {
            first: first.parse().map_err(foreign)?,
            bytes: bytes
                .parse::<i64>()
                .map_err(foreign)?
                .try_into()
                .unwrap_or(0),
            by_count,
            by_age,
            by_bytes,
        })
    }

    /// Takes or renews the lease; whether this process has it.
    pub(super) fn lease(
        &self,
        connection: &mut Connection,
        keys: &Keys,
        (holder, ms): (&str, u64),
    ) -> Result<bool, Fault> {
        let mut call = self.lease.prepare_invoke();
        call.key(&keys.lease).arg(holder).arg(ms);
        Ok(call.invoke::<u8>(connection)? == 1)
    }

    /// Gives the lease up, if it is this process's.
    pub(super) fn leave(
        &self,
        connection: &mut Connection,
        keys: &Keys,
        holder: &str,
    ) -> Result<(), Fault> {
        let mut call = self.leave.prepare_invoke();
        call.key(&keys.lease).arg(holder);
        call.invoke::<u8>(connection)?;
        Ok(())
    }
}
