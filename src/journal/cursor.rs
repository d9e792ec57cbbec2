//! Cursors: opaque strings that name all that was sent up to a place in the stream.
//!
//! `{epoch}.{seq}` in base 36 says "everything up to `seq` of that journal". Where priorities reordered or a window
//! still holds updates, a third part in base64url says what was *not* sent below `seq`, so that a resume neither loses
//! nor repeats. It is written in whichever way is shorter: as runs of places (a backlog is one run), or as a
//! map with a bit for each place (where sent and unsent alternate, as they do while windows hold).
//!
//! A fourth part says how far into a stretch somebody is that begins at the place of the first three (see `within`).

use std::{fmt, str::FromStr};

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use smallvec::SmallVec;
use thiserror::Error;

use super::{Bits, Pending, Run, Seq, within::Within};

/// Tells the cursors of one journal from those of another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Epoch(pub u32);

impl Epoch {
    /// A new one, for a new journal.
    pub fn mint() -> Self {
        let (hi, lo) = uuid::Uuid::new_v4().as_u64_pair();
        Self(u32::try_from((hi ^ lo) & u64::from(u32::MAX)).unwrap_or(0))
    }
}

/// A place in the stream, with the exceptions below it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cursor {
    /// Whose places these are.
    pub epoch: Epoch,
    /// Everything up to here was sent, but for `owed`.
    pub seq: Seq,
    /// What was not, ascending.
    pub owed: SmallVec<[Run; 2]>,
    /// How far into a stretch that begins here.
    pub within: Option<Box<Within>>,
}

/// A string that is no cursor.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error(
    "not a cursor: use the `cursor` of an update, of `connection_established` or of a publish answer, unchanged"
)]
pub struct CursorError;

/// Exceptions that a cursor holds at the most: a forged one must not cost memory.
pub(super) const MAX_RUNS: usize = 2_048;
/// No journal gets this far, and what is reckoned with a place stays a number.
pub(super) const MAX_SEQ: Seq = Seq::MAX / 2;
/// Places that a map may have.
const MAX_MAP: usize = 65_536;

impl Cursor {
    /// The same for one that also has everything up to `seq`, by a snapshot.
    #[must_use]
    pub fn with_everything_up_to(&self, seq: Seq) -> Self {
        // The ends of a stretch are its name: it was begun with what the snapshot said.
        if self.within.is_some() {
            return self.clone();
        }
        let owed = self.owed.iter().filter(|run| run.start + run.len > seq + 1);
        let rest = owed.map(|run| {
            let start = run.start.max(seq + 1);
            Run {
                start,
                len: run.start + run.len - start,
                owed: run.owed,
            }
        });
        Self {
            epoch: self.epoch,
            seq: self.seq.max(seq),
            owed: rest.collect(),
            within: None,
        }
    }

    /// The same with no more exceptions than can be read again. One with more names an earlier place instead, from which
    /// some would come again but nothing is lost.
    #[must_use]
    pub fn readable(mut self) -> Self {
        if let Some(beyond) = self.owed.get(MAX_RUNS) {
            self.seq = beyond.start - 1;
            self.owed.truncate(MAX_RUNS);
        }
        self
    }

    /// A cursor without exceptions.
    pub fn at(epoch: Epoch, seq: Seq) -> Self {
        Self {
            epoch,
            seq,
            owed: SmallVec::new(),
            within: None,
        }
    }

    /// Whether so many exceptions can be read again.
    pub fn is_readable(&self) -> bool {
        self.owed.len() <= MAX_RUNS
    }
}

impl fmt::Display for Cursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        base36(f, u64::from(self.epoch.0))?;
        f.write_str(".")?;
        base36(f, self.seq)?;
        if !self.owed.is_empty() {
            write!(f, ".{}", URL_SAFE_NO_PAD.encode(write_owed(&self.owed)))?;
        } else if self.within.is_some() {
            f.write_str(".")?;
        }
        match &self.within {
            Some(within) => write!(f, ".{}", URL_SAFE_NO_PAD.encode(within.write())),
            None => Ok(()),
        }
    }
}

pub(super) type Buffer = SmallVec<[u8; 128]>;

/// The first byte of the third part. 0 and 1 stood for the same with fewer bits.
const RUNS: u8 = 2;
const MAP: u8 = 3;

/// Exceptions, in whichever way is shorter.
pub(super) fn write_owed(owed: &[Run]) -> Buffer {
    let as_runs = write_runs(owed);
    write_map(owed, as_runs.len()).unwrap_or(as_runs)
}

/// Reads what [`write_owed`] wrote; nothing above `seq` can be an exception.
pub(super) fn read_owed(bytes: &[u8], seq: Seq) -> Result<SmallVec<[Run; 2]>, CursorError> {
    match bytes.split_first() {
        Some((&RUNS, runs)) => read_runs(runs, seq),
        Some((&MAP, map)) => read_map(map, seq),
        _ => Err(CursorError),
    }
}

/// Each run as the gap before it, its length, and what it owes.
fn write_runs(owed: &[Run]) -> Buffer {
    let mut bytes = Buffer::new();
    bytes.push(RUNS);
    let mut at = 0;
    for run in owed {
        varint(&mut bytes, run.start - at);
        varint(&mut bytes, run.len);
        varint(&mut bytes, u64::from(run.owed));
        at = run.start + run.len;
    }
    bytes
}

/// For each thing that is owed: what it is, and a bit for each place from the first on. None unless that is shorter.
fn write_map(owed: &[Run], than: usize) -> Option<Buffer> {
    let (first, last) = (owed.first()?, owed.last()?);
    let places = usize::try_from(last.start + last.len - first.start).ok()?;
    if places > MAX_MAP || places / 8 >= than {
        return None;
    }
    let mut bytes = Buffer::new();
    bytes.push(MAP);
    varint(&mut bytes, first.start);
    let mut kinds: SmallVec<[Bits; 4]> = owed.iter().map(|run| run.owed).collect();
    kinds.sort_unstable();
    kinds.dedup();
    for kind in kinds {
        let mut map: SmallVec<[u8; 64]> = SmallVec::from_elem(0, places.div_ceil(8));
        for run in owed.iter().filter(|run| run.owed == kind) {
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

impl FromStr for Cursor {
    type Err = CursorError;

    fn from_str(text: &str) -> Result<Self, CursorError> {
        let mut parts = text.splitn(4, '.');
        let mut number = || {
            let part = parts.next().filter(|p| p.len() <= 13).ok_or(CursorError)?;
            u64::from_str_radix(part, 36).map_err(|_| CursorError)
        };
        let epoch = Epoch(u32::try_from(number()?).map_err(|_| CursorError)?);
        let seq = number()?;
        if seq > MAX_SEQ {
            return Err(CursorError);
        }
        let mut cursor = Self::at(epoch, seq);
        let (owed, within) = (parts.next(), parts.next());
        let decode = |part: &str| URL_SAFE_NO_PAD.decode(part).map_err(|_| CursorError);
        // Only before a fourth part may the third be empty.
        if let Some(owed) = owed.filter(|owed| !owed.is_empty() || within.is_none()) {
            cursor.owed = read_owed(&decode(owed)?, seq)?;
        }
        if let Some(within) = within {
            let within = Within::read(&decode(within)?)?;
            if within.to < seq {
                return Err(CursorError);
            }
            cursor.within = Some(Box::new(within));
        }
        Ok(cursor)
    }
}

fn read_runs(mut bytes: &[u8], seq: Seq) -> Result<SmallVec<[Run; 2]>, CursorError> {
    let mut runs = SmallVec::new();
    let mut at: Seq = 0;
    while !bytes.is_empty() {
        let gap = read_varint(&mut bytes)?;
        let len = read_varint(&mut bytes)?;
        let owed = read_bits(&mut bytes)?;
        let start = at.checked_add(gap).ok_or(CursorError)?;
        at = start.checked_add(len).ok_or(CursorError)?;
        if len == 0 || at > seq + 1 || runs.len() >= MAX_RUNS {
            return Err(CursorError);
        }
        runs.push(Run { start, len, owed });
    }
    Ok(runs)
}

fn read_map(mut bytes: &[u8], seq: Seq) -> Result<SmallVec<[Run; 2]>, CursorError> {
    let first = read_varint(&mut bytes)?;
    let mut owed: Vec<Bits> = Vec::new();
    while !bytes.is_empty() {
        let kind = read_bits(&mut bytes)?;
        let len = usize::try_from(read_varint(&mut bytes)?).map_err(|_| CursorError)?;
        if len > MAX_MAP / 8 || len > bytes.len() {
            return Err(CursorError);
        }
        let (map, rest) = bytes.split_at(len);
        bytes = rest;
        owed.resize(owed.len().max(len * 8), 0);
        for (place, owed) in owed.iter_mut().enumerate().take(len * 8) {
            if map[place / 8] & 1 << (place % 8) != 0 {
                *owed |= kind;
            }
        }
    }
    let mut pending = Pending::default();
    for (place, owed) in owed.into_iter().enumerate().filter(|(_, owed)| *owed != 0) {
        let place = first
            .checked_add(place as u64)
            .filter(|place| *place <= seq);
        pending.push(place.ok_or(CursorError)?, owed);
    }
    let runs: SmallVec<[Run; 2]> = pending.up_to(seq).take(MAX_RUNS + 1).collect();
    if runs.len() > MAX_RUNS {
        return Err(CursorError);
    }
    Ok(runs)
}

fn base36(f: &mut fmt::Formatter<'_>, mut number: u64) -> fmt::Result {
    let mut digits = SmallVec::<[u8; 13]>::new();
    loop {
        digits.push(b"0123456789abcdefghijklmnopqrstuvwxyz"[(number % 36) as usize]);
        number /= 36;
        if number == 0 {
            break;
        }
    }
    digits
        .iter()
        .rev()
        .try_for_each(|&d| fmt::Write::write_char(f, char::from(d)))
}

pub(super) fn varint(out: &mut Buffer, mut number: u64) {
    while number >= 0x80 {
        out.push((number & 0x7f) as u8 | 0x80);
        number >>= 7;
    }
    out.push(number as u8);
}

/// Some updates, at least one.
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
