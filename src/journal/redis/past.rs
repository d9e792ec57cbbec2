//! Reads from the engine: its events, its generations, its checkpoint.

use std::{collections::HashMap, sync::Arc};

use redis::{Connection, Value};

use super::{
    decisions,
    keys::Keys,
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
}

/// The first and the last place, and the epoch.
pub(super) fn ends(connection: &mut Connection, keys: &Keys) -> Result<Ends, Fault> {
    type Meta = (
        Option<String>,
        Option<String>,
        Option<String>,
        Option<String>,
    );
    let mut ask = redis::cmd("HMGET");
    ask.arg(&keys.meta)
        .arg(&["seq", "first", "epoch", "decided"]);
    let (seq, first, epoch, decided): Meta = ask.query(connection)?;
    let foreign = |_| Fault::Foreign(keys.meta.clone());
    let number = |text: Option<String>| text.map(|text| text.parse::<u64>()).transpose();
    let epoch = epoch.map(|epoch| epoch.parse::<u32>()).transpose();
    Ok(Ends {
        last: number(seq).map_err(foreign)?.unwrap_or(0),
        first: number(first).map_err(foreign)?.unwrap_or(1),
        epoch: epoch.map_err(foreign)?.map(Epoch),
        decided: number(decided).map_err(foreign)?.unwrap_or(0),
    })
}

/// The generations, with the present one last.
pub(super) fn generations(connection: &mut Connection, keys: &Keys) -> Result<Generations, Fault> {
    let mut ask = redis::cmd("LRANGE");
    ask.arg(&keys.generations).arg(0).arg(-1);
    let lines: Vec<String> = ask.query(connection)?;
    let read = |line: &String| {
        let (epoch, began) = line.split_once(':')?;
        Some((Epoch(epoch.parse().ok()?), began.parse().ok()?))
    };
    let known: Option<Vec<(Epoch, Seq)>> = lines.iter().map(read).collect();
    let known = known.unwrap_or_default();
    let Some((present, earlier)) = known.split_last() else {
        return Err(Fault::Foreign(keys.generations.clone()));
    };
    Ok(Generations::new(earlier, *present))
}

/// The place of the newest checkpoint, and the key of its parts.
pub(super) fn checkpoint(
    connection: &mut Connection,
    keys: &Keys,
) -> Result<Option<(Seq, String)>, Fault> {
    let told: Option<String> = redis::cmd("GET").arg(&keys.checkpoint).query(connection)?;
    let parts = told.as_deref().and_then(|told| {
        let (seq, parts) = told.split_once(' ')?;
        Some((seq.parse().ok()?, parts.to_owned()))
    });
    Ok(parts)
}

/// All decisions that hold.
pub(super) fn decisions(connection: &mut Connection, keys: &Keys) -> Result<Decisions, Fault> {
    let mut ask = redis::cmd("HGETALL");
    let fields: HashMap<String, String> = ask.arg(&keys.decisions).query(connection)?;
    let foreign = |why| Fault::Foreign(format!("{} ({why})", keys.decisions));
    decisions::read(fields).map_err(foreign)
}

/// Events from a place on, at most so many.
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
    items(entries, keys)
}

/// Events after a place, as soon as there are any; none when the time is over.
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
    items(
        entries.map(|(_, entries)| entries).unwrap_or_default(),
        keys,
    )
}

fn items(entries: Vec<Value>, keys: &Keys) -> Result<Vec<Item>, Fault> {
    let foreign = || Fault::Foreign(keys.stream.clone());
    let entries = entries.into_iter();
    entries
        .map(|entry| item(entry).ok_or_else(foreign))
        .collect()
}

fn item(entry: Value) -> Option<Item> {
    let Value::Array(entry) = entry else {
        return None;
    };
    let mut entry = entry.into_iter();
    let (Some(Value::BulkString(place)), Some(Value::Array(fields))) = (entry.next(), entry.next())
    else {
        return None;
    };
    let place = str::from_utf8(&place).ok()?;
    let seq = place.split_once('-')?.0.parse().ok()?;
    let (mut epoch, mut id, mut content, mut text) = (None, None, None, None);
    let mut fields = fields.into_iter();
    while let (Some(Value::BulkString(name)), Some(Value::BulkString(value))) =
        (fields.next(), fields.next())
    {
        match name.as_slice() {
            b"e" => epoch = str::from_utf8(&value).ok().and_then(|e| e.parse().ok()),
            b"i" => id = Id::try_from(value.as_slice()).ok(),
            b"c" => content = String::from_utf8(value).ok(),
            b"d" => text = String::from_utf8(value).ok(),
            _ => {}
        }
    }
    Some(Item {
        seq,
        epoch: Epoch(epoch?),
        kept: Kept {
            id: id?,
            content: content?,
            text: Arc::from(text?),
        },
    })
}
