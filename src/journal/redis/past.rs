//! The engine as the follower and the readers find it: its events, generations, losses and checkpoint, and what is written of a
//! loss.

use std::{collections::HashMap, sync::Arc};

use redis::{Connection, Value};

use super::{
    decisions,
    keys::Keys,
    lost::{Loss, REMEMBERED},
    scripts::{Id, Kept},
};
use crate::{
    decision::Decisions,
    engine::Fault,
    journal::{Epoch, Seq, generations::Generations},
};

/// An event of the stream.
#[derive(Debug)]
pub(super) struct Item {
    pub(super) seq: Seq,
    pub(super) epoch: Epoch,
    pub(super) kept: Kept,
}

/// The ends of what is kept.
#[derive(Debug, Clone, Copy)]
pub(super) struct Ends {
    pub(super) first: Seq,
    pub(super) last: Seq,
    pub(super) epoch: Option<Epoch>,
    /// The number of times that decisions were kept.
    pub(super) decided: u64,
    /// The number of losses that were written down.
    pub(super) losses: u64,
}

/// The engine's history at one moment.
#[derive(Debug)]
pub(super) struct Past {
    pub(super) ends: Ends,
    pub(super) generations: Generations,
    /// The number of times that decisions were kept when each generation began.
    decided: Vec<(Epoch, u64)>,
    pub(super) losses: Vec<Loss>,
}

impl Past {
    /// Whether a generation after those that are known began with fewer decisions than this.
    pub(super) fn lacks_decisions(&self, known: &Generations, decided: u64) -> bool {
        let mut new = self.decided.iter();
        new.any(|(epoch, then)| *then < decided && known.newest(*epoch, 0).is_none())
    }
}

/// The newest checkpoint.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Newest {
    pub(super) seq: Seq,
    pub(super) epoch: Epoch,
    pub(super) parts: u32,
    /// The key of its parts.
    pub(super) key: String,
}

/// The fields of the journal's hash that tell its ends.
const ENDS: [&str; 5] = ["seq", "first", "epoch", "decided", "losses"];

type Fields = Vec<Option<String>>;

fn read_ends(fields: Fields, keys: &Keys) -> Result<Ends, Fault> {
    let foreign = |_| Fault::Foreign(keys.meta.clone());
    let numbers = fields
        .into_iter()
        .map(|text| text.map(|text| text.parse::<u64>()).transpose());
    let numbers: Vec<Option<u64>> = numbers.collect::<Result<_, _>>().map_err(foreign)?;
    let number = |at: usize| numbers.get(at).copied().flatten();
    Ok(Ends {
        last: number(0).unwrap_or(0),
        first: number(1).unwrap_or(1),
        epoch: number(2).and_then(|epoch| u32::try_from(epoch).ok().map(Epoch)),
        decided: number(3).unwrap_or(0),
        losses: number(4).unwrap_or(0),
    })
}

/// The first and the last place, and the epoch.
pub(super) fn ends(connection: &mut Connection, keys: &Keys) -> Result<Ends, Fault> {
    let mut ask = redis::cmd("HMGET");
    let fields: Fields = ask.arg(&keys.meta).arg(&ENDS).query(connection)?;
    read_ends(fields, keys)
}

/// The engine's history; a generation has begun before.
pub(super) fn past(connection: &mut Connection, keys: &Keys) -> Result<Past, Fault> {
    let mut ask = redis::pipe();
    ask.atomic();
    ask.cmd("HMGET").arg(&keys.meta).arg(&ENDS);
    ask.cmd("LRANGE").arg(&keys.generations).arg(0).arg(-1);
    ask.cmd("LRANGE").arg(&keys.losses).arg(0).arg(-1);
    let (fields, lines, losses): (Fields, Vec<String>, Vec<String>) = ask.query(connection)?;
    let read = |line: &String| {
        let mut numbers = line.splitn(3, ':');
        let epoch = Epoch(numbers.next()?.parse().ok()?);
        let began = (epoch, numbers.next()?.parse().ok()?);
        Some((began, (epoch, numbers.next()?.parse().ok()?)))
    };
    let read: Option<(Vec<(Epoch, Seq)>, _)> = lines.iter().map(read).collect();
    let (known, decided) = read.unwrap_or_default();
    let ends = read_ends(fields, keys)?;
    match known.split_last() {
        Some((present, earlier)) if ends.epoch == Some(present.0) => Ok(Past {
            ends,
            generations: Generations::new(earlier, *present),
            decided,
            losses: read_losses(&losses),
        }),
        _ => Err(Fault::Foreign(keys.generations.clone())),
    }
}

/// The losses that nodes wrote down.
pub(super) fn losses(connection: &mut Connection, keys: &Keys) -> Result<Vec<Loss>, Fault> {
    let mut ask = redis::cmd("LRANGE");
    let losses: Vec<String> = ask.arg(&keys.losses).arg(0).arg(-1).query(connection)?;
    Ok(read_losses(&losses))
}

fn read_losses(texts: &[String]) -> Vec<Loss> {
    texts.iter().filter_map(|text| Loss::read(text)).collect()
}

/// Writes a loss down for all nodes.
pub(super) fn write_loss(
    connection: &mut Connection,
    keys: &Keys,
    loss: &Loss,
) -> Result<(), Fault> {
    let oldest = -isize::try_from(REMEMBERED).unwrap_or(isize::MAX);
    let mut write = redis::pipe();
    write.atomic();
    // Nodes often write down the same.
    write
        .cmd("LREM")
        .arg(&keys.losses)
        .arg(0)
        .arg(loss.to_text());
    write.cmd("RPUSH").arg(&keys.losses).arg(loss.to_text());
    write.cmd("LTRIM").arg(&keys.losses).arg(oldest).arg(-1);
    write.hincr(&keys.meta, "losses", 1);
    Ok(write.exec(connection)?)
}

/// The newest checkpoint.
pub(super) fn checkpoint(
    connection: &mut Connection,
    keys: &Keys,
) -> Result<Option<Newest>, Fault> {
    let told: Option<String> = redis::cmd("GET").arg(&keys.checkpoint).query(connection)?;
    let newest = told.as_deref().and_then(|told| {
        let mut parts = told.splitn(4, ' ');
        Some(Newest {
            seq: parts.next()?.parse().ok()?,
            epoch: Epoch(parts.next()?.parse().ok()?),
            parts: parts.next()?.parse().ok()?,
            key: parts.next()?.to_owned(),
        })
    });
    Ok(newest)
}

/// Writes those of these decisions that the engine lacks; it knew them before.
pub(super) fn decide_again(
    connection: &mut Connection,
    keys: &Keys,
    known: &Decisions,
) -> Result<(), Fault> {
    let mut write = redis::pipe();
    write.atomic();
    for (name, text) in decisions::fields(known) {
        write.hset_nx(&keys.decisions, name, text).ignore();
    }
    write.hincr(&keys.meta, "decided", 1).ignore();
    Ok(write.exec(connection)?)
}

/// All decisions that hold, and the number of times that some were kept.
pub(super) fn decisions(
    connection: &mut Connection,
    keys: &Keys,
) -> Result<(u64, Decisions), Fault> {
    let mut ask = redis::pipe();
    ask.atomic();
    ask.hget(&keys.meta, "decided").hgetall(&keys.decisions);
    let (decided, fields): (Option<u64>, HashMap<String, String>) = ask.query(connection)?;
    let foreign = |why| Fault::Foreign(format!("{} ({why})", keys.decisions));
    let decisions = decisions::read(fields).map_err(foreign)?;
    Ok((decided.unwrap_or(0), decisions))
}

/// Events from a place on, those of at most so many entries.
pub(super) fn range(
    connection: &mut Connection,
    keys: &Keys,
    from: Seq,
    count: usize,
) -> Result<Vec<Item>, Fault> {
    let mut ask = redis::cmd("XRANGE");
    ask.arg(&keys.stream)
        .arg(format!("{from}-0"))
        .arg("+")
        .arg("COUNT")
        .arg(count);
    let entries: Vec<Value> = ask.query(connection)?;
    items(entries, from, keys)
}

/// Events after a place, as soon as there are any, those of at most so many entries; none when the time is over.
pub(super) fn after(
    connection: &mut Connection,
    keys: &Keys,
    last: Seq,
    (count, block_ms): (usize, u64),
) -> Result<Vec<Item>, Fault> {
    let mut ask = redis::cmd("XREAD");
    ask.arg("COUNT").arg(count).arg("BLOCK").arg(block_ms);
    ask.arg("STREAMS")
        .arg(&keys.stream)
        .arg(format!("{last}-0"));
    let read: Option<Vec<(String, Vec<Value>)>> = ask.query(connection)?;
    let entries = read.and_then(|mut streams| streams.pop());
    let entries = entries.map(|(_, entries)| entries).unwrap_or_default();
    items(entries, last + 1, keys)
}

/// The events of these entries, from a place on: it may be in the middle of the first one.
fn items(entries: Vec<Value>, from: Seq, keys: &Keys) -> Result<Vec<Item>, Fault> {
    let mut items = Vec::new();
    for entry in entries {
        read_entry(entry, from, &mut items).ok_or_else(|| Fault::Foreign(keys.stream.clone()))?;
    }
    Ok(items)
}

fn read_entry(entry: Value, from: Seq, items: &mut Vec<Item>) -> Option<()> {
    let Value::Array(entry) = entry else {
        return None;
    };
    let mut entry = entry.into_iter();
    let (Some(Value::BulkString(place)), Some(Value::Array(fields))) = (entry.next(), entry.next())
    else {
        return None;
    };
    let place = str::from_utf8(&place).ok()?;
    let last: Seq = place.split_once('-')?.0.parse().ok()?;
    let (mut epoch, mut ids, mut contents, mut lengths, mut texts) = (None, None, None, None, None);
    let mut fields = fields.into_iter();
    while let (Some(Value::BulkString(name)), Some(Value::BulkString(value))) =
        (fields.next(), fields.next())
    {
        match name.as_slice() {
            b"e" => epoch = str::from_utf8(&value).ok().and_then(|e| e.parse().ok()),
            b"i" => ids = Some(value),
            b"c" => contents = String::from_utf8(value).ok(),
            b"l" => lengths = String::from_utf8(value).ok(),
            b"d" => texts = String::from_utf8(value).ok(),
            _ => {}
        }
    }
    let (epoch, ids, texts) = (Epoch(epoch?), ids?, texts?);
    let (ids, rest) = ids.as_chunks::<{ size_of::<Id>() }>();
    let (contents, lengths) = (contents?, lengths?);
    let (mut contents, mut lengths) = (contents.split(' '), lengths.split(' '));
    let mut texts = texts.as_str();
    let first = last.checked_sub(u64::try_from(ids.len()).ok()?)? + 1;
    for (seq, id) in (first..).zip(ids) {
        let content = contents.next()?.parse().ok()?;
        let (text, further) = texts.split_at_checked(lengths.next()?.parse().ok()?)?;
        texts = further;
        if seq >= from {
            let kept = Kept {
                id: *id,
                content,
                text: Arc::from(text),
            };
            items.push(Item { seq, epoch, kept });
        }
    }
    // All of it is of these events.
    (rest.is_empty() && !ids.is_empty() && texts.is_empty()).then_some(())
}
