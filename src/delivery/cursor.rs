//! Cursors: opaque strings that name all that was sent up to a place in the stream.
//!
//! `{epoch}.{seq}` in base 36 says "everything up to `seq` of the journal as that generation knew it". If priorities
//! reordered updates or a window still holds some, a third part in base64url names the updates up to `seq` that were
//! *not* sent, so that a resume neither loses nor repeats any. The shorter of two forms is written: as runs of places
//! (a backlog is one run), or as a map with a bit for each place (where sent and unsent alternate, as they do while
//! windows hold).
//!
//! A fourth part names a place within the segment that begins where the first three parts say (see
//! [`SegmentPosition`]).

use std::{fmt, str::FromStr};

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use smallvec::SmallVec;

use super::{
    Run,
    codec::{CursorError, MAX_RUNS, MAX_SEQ, read_unsent, write_unsent},
    segment_position::SegmentPosition,
};
use crate::journal::{Epoch, Journal, Seq};

/// A place in the stream, with the exceptions below it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cursor {
    /// The generation of the journal that the places are of.
    pub epoch: Epoch,
    /// Everything up to here was sent, but for `unsent`.
    pub seq: Seq,
    /// The updates up to `seq` that were not sent, ascending.
    pub unsent: SmallVec<[Run; 2]>,
    /// The position within a segment that begins here.
    pub within: Option<Box<SegmentPosition>>,
}

impl Cursor {
    /// The cursor of a client that also has everything up to `seq`, by a snapshot.
    #[must_use]
    pub fn with_everything_up_to(&self, seq: Seq) -> Self {
        // A segment is named by its ends, so the end keeps the name that it had when the segment was begun.
        if self.within.is_some() {
            return self.clone();
        }
        let unsent = self
            .unsent
            .iter()
            .filter(|run| run.start + run.len > seq + 1);
        let rest = unsent.map(|run| {
            let start = run.start.max(seq + 1);
            Run {
                start,
                len: run.start + run.len - start,
                unsent: run.unsent,
            }
        });
        Self {
            epoch: self.epoch,
            seq: self.seq.max(seq),
            unsent: rest.collect(),
            within: None,
        }
    }

    /// The cursor with no more exceptions than can be read again. A cursor with more becomes one of an earlier place:
    /// some updates come again, and none is lost.
    #[must_use]
    pub fn readable(mut self) -> Self {
        if let Some(beyond) = self.unsent.get(MAX_RUNS) {
            self.seq = beyond.start - 1;
            self.unsent.truncate(MAX_RUNS);
        }
        self
    }

    /// A cursor without exceptions.
    pub fn at(epoch: Epoch, seq: Seq) -> Self {
        Self {
            epoch,
            seq,
            unsent: SmallVec::new(),
            within: None,
        }
    }

    /// The cursor that names everything up to `seq` of a journal.
    pub fn of(journal: &dyn Journal, seq: Seq) -> Self {
        Self::at(journal.epoch_at(seq), seq)
    }

    /// Whether all of its places are those of this journal.
    pub fn is_of(&self, journal: &dyn Journal) -> bool {
        let end = self.within.as_ref().map_or(self.seq, |within| within.to);
        let newest = journal.newest_of(self.epoch);
        newest.is_some_and(|newest| self.seq.max(end) <= newest)
    }

    /// Whether no more exceptions are in it than can be read again.
    pub fn is_readable(&self) -> bool {
        self.unsent.len() <= MAX_RUNS
    }
}

impl fmt::Display for Cursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        base36(f, u64::from(self.epoch.0))?;
        f.write_str(".")?;
        base36(f, self.seq)?;
        if !self.unsent.is_empty() {
            write!(f, ".{}", URL_SAFE_NO_PAD.encode(write_unsent(&self.unsent)))?;
        } else if self.within.is_some() {
            f.write_str(".")?;
        }
        match &self.within {
            Some(within) => write!(f, ".{}", URL_SAFE_NO_PAD.encode(within.write())),
            None => Ok(()),
        }
    }
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
        let (unsent, within) = (parts.next(), parts.next());
        let decode = |part: &str| URL_SAFE_NO_PAD.decode(part).map_err(|_| CursorError);
        // The third part may be empty only before a fourth part.
        if let Some(unsent) = unsent.filter(|unsent| !unsent.is_empty() || within.is_none()) {
            cursor.unsent = read_unsent(&decode(unsent)?, seq)?;
        }
        if let Some(within) = within {
            let within = SegmentPosition::read(&decode(within)?)?;
            if within.to < seq {
                return Err(CursorError);
            }
            cursor.within = Some(Box::new(within));
        }
        Ok(cursor)
    }
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
