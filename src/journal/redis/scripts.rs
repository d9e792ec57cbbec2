//! The scripts, and the forms of what they are given and answer.

use aws_lc_rs::digest;
use redis::{Connection, Script};

use super::{engine::Fault, keys::Keys};
use crate::journal::{Entry, Epoch, Seq};

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
    pub(super) content: String,
    pub(super) text: std::sync::Arc<str>,
}

/// The answer for one event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Told {
    Kept(Seq),
    Known(Seq),
    /// Its id stands for another event.
    Conflict,
}

/// The scripts of a journal.
#[derive(Debug)]
pub(super) struct Scripts {
    append: Script,
    trim: Script,
    lease: Script,
}

/// The bounds of a step of trimming.
#[derive(Debug, Clone, Copy)]
pub(super) struct TrimBounds {
    pub(super) max_events: usize,
    pub(super) oldest_ms: i64,
    pub(super) max_bytes: u64,
    pub(super) ceiling: Seq,
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

/// Events of one step of trimming.
const TRIM_STEP: usize = 500;

impl Scripts {
    pub(super) fn new() -> Self {
        Self {
            append: Script::new(include_str!("scripts/append.lua")),
            trim: Script::new(include_str!("scripts/trim.lua")),
            lease: Script::new(include_str!("scripts/lease.lua")),
        }
    }

    /// Appends events up to the first whose id stands for another one. Without any, only a generation may begin.
    pub(super) fn append<'k>(
        &self,
        connection: &mut Connection,
        keys: &Keys,
        now_ms: i64,
        events: impl Iterator<Item = &'k Kept>,
    ) -> Result<(Epoch, Vec<Told>), Fault> {
        let mut call = self.append.prepare_invoke();
        call.key(&keys.meta)
            .key(&keys.stream)
            .key(&keys.ids)
            .key(&keys.generations)
            .arg(Epoch::mint().0)
            .arg(now_ms);
        for event in events {
            call.arg(&event.id[..])
                .arg(&event.content)
                .arg(&*event.text);
        }
        let answer: Vec<String> = call.invoke(connection)?;
        let foreign = || Fault::Foreign(keys.meta.clone());
        let mut answer = answer.into_iter();
        let epoch = answer.next().and_then(|epoch| epoch.parse().ok());
        let told = answer.map(|one| {
            let place = || one.get(1..).and_then(|place| place.parse().ok());
            match one.as_bytes().first() {
                Some(b'+') => place().map(Told::Kept),
                Some(b'=') => place().map(Told::Known),
                Some(b'!') => Some(Told::Conflict),
                _ => None,
            }
        });
        let told: Option<Vec<Told>> = told.collect();
        Ok((Epoch(epoch.ok_or_else(foreign)?), told.ok_or_else(foreign)?))
    }

    /// Lets go of some of the oldest events.
    pub(super) fn trim(
        &self,
        connection: &mut Connection,
        keys: &Keys,
        bounds: TrimBounds,
    ) -> Result<TrimAnswer, Fault> {
        let mut call = self.trim.prepare_invoke();
        call.key(&keys.meta)
            .key(&keys.stream)
            .key(&keys.ids)
            .arg(bounds.max_events)
            .arg(bounds.oldest_ms)
            .arg(bounds.max_bytes)
            .arg(bounds.ceiling)
            .arg(TRIM_STEP);
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

    /// Takes or renews the lease; whether this node has it.
    pub(super) fn lease(
        &self,
        connection: &mut Connection,
        keys: &Keys,
        (node, ms): (&str, u64),
    ) -> Result<bool, Fault> {
        let mut call = self.lease.prepare_invoke();
        call.key(&keys.lease).arg(node).arg(ms);
        Ok(call.invoke::<u8>(connection)? == 1)
    }
}
