//! The text form of a cursor's exceptions and numbers.

use smallvec::SmallVec;
use thiserror::Error;

use super::{Pending, Run};
use crate::{journal::Seq, update::Bits};

/// A string that is no cursor.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error(
    "not a cursor: use the `cursor` of an update, of `connection_established` or of a publish answer, unchanged"
)]
pub struct CursorError;

/// The most exceptions that a cursor holds: a forged one must not cost memory.
pub(super) const MAX_RUNS: usize = 2_048;
/// The highest place that a cursor may name. No journal gets this far, and sums with a place don't overflow.
pub(super) const MAX_SEQ: Seq = Seq::MAX / 2;
/// The most places that a map may have.
const MAX_MAP: usize = 65_536;

pub(super) type Buffer = SmallVec<[u8; 128]>;

/// The first byte of the third part. The bytes 0 and 1 stood for the same with fewer bits.
const RUNS: u8 = 2;
const MAP: u8 = 3;

/// Writes exceptions, in the shorter of two ways.
pub(super) fn write_unsent(unsent: &[Run]) -> Buffer {
    let as_runs = write_runs(unsent);
    write_map(unsent, as_runs.len()).unwrap_or(as_runs)
}

/// Reads what [`write_unsent`] wrote; nothing above `seq` can be an exception.
pub(super) fn read_unsent(bytes: &[u8], seq: Seq) -> Result<SmallVec<[Run; 2]>, CursorError> {
    match bytes.split_first() {
        Some((&RUNS, runs)) => read_runs(runs, seq),
        Some((&MAP, map)) => read_map(map, seq),
        _ => Err(CursorError),
    }
}

/// Writes each run as the gap before it, its length, and its unsent updates.
fn write_runs(unsent: &[Run]) -> Buffer {
    let mut bytes = Buffer::new();
    bytes.push(RUNS);
    let mut at = 0;
    for run in unsent {
        varint(&mut bytes, run.start - at);
        varint(&mut bytes, run.len);
        varint(&mut bytes, u64::from(run.unsent));
        at = run.start + run.len;
    }
    bytes
}

/// Writes each set of unsent updates once, and a bit for each place from the first on. None unless that is shorter.
fn write_map(unsent: &[Run], than: usize) -> Option<Buffer> {
    let (first, last) = (unsent.first()?, unsent.last()?);
    let places = usize::try_from(last.start + last.len - first.start).ok()?;
    if places > MAX_MAP || places / 8 >= than {
        return None;
    }
    let mut bytes = Buffer::new();
    bytes.push(MAP);
    varint(&mut bytes, first.start);
    let mut kinds: SmallVec<[Bits; 4]> = unsent.iter().map(|run| run.unsent).collect();
    kinds.sort_unstable();
    kinds.dedup();
    for kind in kinds {
        let mut map: SmallVec<[u8; 64]> = SmallVec::from_elem(0, places.div_ceil(8));
        for run in unsent.iter().filter(|run| run.unsent == kind) {
            for place in run.start - first.start..run.start + run.len - first.start {
                let place = usize::try_from(place).ok()?;
                map[place / 8] |= 1 << (place % 8);
            }
        }
        while map.last() == Some(&0) {
            map.pop();
        }
        varint(&mut bytes, u64::from(kind));
        varint(&mut bytes, map.len() as u64);
        bytes.extend_from_slice(&map);
    }
    (bytes.len() < than).then_some(bytes)
}

fn read_runs(mut bytes: &[u8], seq: Seq) -> Result<SmallVec<[Run; 2]>, CursorError> {
    let mut runs = SmallVec::<[Run; 2]>::new();
    let mut at: Seq = 0;
    while !bytes.is_empty() {
        let gap = read_varint(&mut bytes)?;
        let len = read_varint(&mut bytes)?;
        let unsent = read_bits(&mut bytes)?;
        let start = at.checked_add(gap).ok_or(CursorError)?;
        at = start.checked_add(len).ok_or(CursorError)?;
        if len == 0 || at > seq + 1 || runs.len() >= MAX_RUNS {
            return Err(CursorError);
        }
        match runs.last_mut() {
            // The same run written in two parts: it is written again as one.
            Some(before) if gap == 0 && before.unsent == unsent => before.len += len,
            _ => runs.push(Run { start, len, unsent }),
        }
    }
    Ok(runs)
}

fn read_map(mut bytes: &[u8], seq: Seq) -> Result<SmallVec<[Run; 2]>, CursorError> {
    let first = read_varint(&mut bytes)?;
    let mut unsent: Vec<Bits> = Vec::new();
    while !bytes.is_empty() {
        let kind = read_bits(&mut bytes)?;
        let len = usize::try_from(read_varint(&mut bytes)?).map_err(|_| CursorError)?;
        if len > MAX_MAP / 8 || len > bytes.len() {
            return Err(CursorError);
        }
        let (map, rest) = bytes.split_at(len);
        bytes = rest;
        unsent.resize(unsent.len().max(len * 8), 0);
        for (place, unsent) in unsent.iter_mut().enumerate().take(len * 8) {
            if map[place / 8] & 1 << (place % 8) != 0 {
                *unsent |= kind;
            }
        }
    }
    let mut pending = Pending::default();
    for (place, unsent) in unsent
        .into_iter()
        .enumerate()
        .filter(|(_, unsent)| *unsent != 0)
    {
        let place = first
            .checked_add(place as u64)
            .filter(|place| *place <= seq);
        pending.push(place.ok_or(CursorError)?, unsent);
    }
    let runs: SmallVec<[Run; 2]> = pending.up_to(seq).take(MAX_RUNS + 1).collect();
    if runs.len() > MAX_RUNS {
        return Err(CursorError);
    }
    Ok(runs)
}

pub(super) fn varint(out: &mut Buffer, mut number: u64) {
    while number >= 0x80 {
        out.push((number & 0x7f) as u8 | 0x80);
        number >>= 7;
    }
    out.push(number as u8);
}

/// Reads a set of updates, at least one.
pub(super) fn read_bits(bytes: &mut &[u8]) -> Result<Bits, CursorError> {
    let bits = Bits::try_from(read_varint(bytes)?).map_err(|_| CursorError)?;
    if bits == 0 {
        return Err(CursorError);
    }
    Ok(bits)
}

pub(super) fn read_varint(bytes: &mut &[u8]) -> Result<u64, CursorError> {
    let mut number = 0_u64;
    for shift in (0..64).step_by(7) {
        let (&byte, rest) = bytes.split_first().ok_or(CursorError)?;
        *bytes = rest;
        number |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Ok(number);
        }
    }
    Err(CursorError)
}
