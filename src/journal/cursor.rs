//! Cursors: opaque strings that name all that was sent up to a place in the stream.
//!
//! `{epoch}.{seq}` in base 36 says "everything up to `seq` of that journal". Where priorities reordered or a window
//! still holds updates, a third part lists what was *not* sent below `seq` (runs of places with the groups they
//! owe, as variable-length integers in base64url), so that a resume neither loses nor repeats.

use std::{fmt, str::FromStr};

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use smallvec::SmallVec;
use thiserror::Error;

use super::{Run, Seq};

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
}

/// A string that is no cursor.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error(
    "not a cursor: use the `cursor` of an update, of `connection_established` or of a publish answer, unchanged"
)]
pub struct CursorError;

/// More exceptions than a cursor of ours ever holds: a forged one must not cost memory.
const MAX_RUNS: usize = 8_192;

impl Cursor {
    /// A cursor without exceptions.
    pub fn at(epoch: Epoch, seq: Seq) -> Self {
        Self {
            epoch,
            seq,
            owed: SmallVec::new(),
        }
    }
}

impl fmt::Display for Cursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        base36(f, u64::from(self.epoch.0))?;
        f.write_str(".")?;
        base36(f, self.seq)?;
        if self.owed.is_empty() {
            return Ok(());
        }
        let mut bytes = SmallVec::<[u8; 64]>::new();
        let mut at = 0;
        for run in &self.owed {
            varint(&mut bytes, run.start - at);
            varint(&mut bytes, run.len);
            bytes.push(run.owed);
            at = run.start + run.len;
        }
        write!(f, ".{}", URL_SAFE_NO_PAD.encode(&bytes))
    }
}

impl FromStr for Cursor {
    type Err = CursorError;

    fn from_str(text: &str) -> Result<Self, CursorError> {
        let mut parts = text.splitn(3, '.');
        let mut number = || {
            let part = parts.next().filter(|p| p.len() <= 13).ok_or(CursorError)?;
            u64::from_str_radix(part, 36).map_err(|_| CursorError)
        };
        let epoch = Epoch(u32::try_from(number()?).map_err(|_| CursorError)?);
        let seq = number()?;
        let mut cursor = Self::at(epoch, seq);
        if let Some(owed) = parts.next() {
            let bytes = URL_SAFE_NO_PAD.decode(owed).map_err(|_| CursorError)?;
            cursor.owed = runs(&bytes, seq)?;
        }
        Ok(cursor)
    }
}

fn runs(mut bytes: &[u8], seq: Seq) -> Result<SmallVec<[Run; 2]>, CursorError> {
    let mut runs = SmallVec::new();
    let mut at: Seq = 0;
    while !bytes.is_empty() {
        let gap = read_varint(&mut bytes)?;
        let len = read_varint(&mut bytes)?;
        let (&owed, rest) = bytes.split_first().ok_or(CursorError)?;
        bytes = rest;
        let start = at.checked_add(gap).ok_or(CursorError)?;
        at = start.checked_add(len).ok_or(CursorError)?;
        if len == 0 || owed == 0 || at > seq + 1 || runs.len() >= MAX_RUNS {
            return Err(CursorError);
        }
        runs.push(Run { start, len, owed });
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

fn varint(out: &mut SmallVec<[u8; 64]>, mut number: u64) {
    while number >= 0x80 {
        out.push((number & 0x7f) as u8 | 0x80);
        number >>= 7;
    }
    out.push(number as u8);
}

fn read_varint(bytes: &mut &[u8]) -> Result<u64, CursorError> {
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
