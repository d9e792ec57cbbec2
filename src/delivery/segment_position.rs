//! A place in the middle of a segment.
//!
//! A client that is far behind is sent a segment: all that happened from one place to another, coalesced by keys as far
//! as the order of each entity allows. Coalesced updates are of events all over the segment, so a list of the unsent
//! updates in the middle of it would be longer than the updates. But the updates of a segment follow from its two ends
//! alone: the same events, coalesced in the same way, in the same order. So the place is named by the ends and by the
//! last update that was sent.
//!
//! That holds as long as updates are coalesced by the same rules. `grouping` stands for these rules: a cursor of other
//! rules names no place any more, and the client is sent the state instead of a guess.

use smallvec::SmallVec;

use super::{
    Run,
    codec::{
        Buffer, CursorError, MAX_SEQ, read_bits, read_unsent, read_varint, varint, write_unsent,
    },
};
use crate::{journal::Seq, update::UpdateId};

/// The place within a segment up to which a client has the updates. The segment begins at the cursor that holds this.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SegmentPosition {
    /// The end of the segment: it has everything up to here, except `unsent`.
    pub to: Seq,
    /// The updates that the live stream sends itself, or had not sent when the segment was made.
    pub unsent: SmallVec<[Run; 2]>,
    /// The last update that was sent; updates go in the order of their ids.
    pub sent: UpdateId,
    /// The topics that it was planned for, as a number: their updates go at once and divide what would be coalesced.
    pub topics: u8,
    /// A number for the rules by which updates are coalesced.
    pub grouping: u32,
}

impl SegmentPosition {
    pub(super) fn write(&self) -> Buffer {
        let mut bytes = Buffer::new();
        bytes.extend_from_slice(&self.grouping.to_le_bytes());
        varint(&mut bytes, self.to);
        varint(&mut bytes, self.sent.0);
        varint(&mut bytes, u64::from(self.sent.1));
        bytes.push(self.topics);
        if !self.unsent.is_empty() {
            bytes.extend_from_slice(&write_unsent(&self.unsent));
        }
        bytes
    }

    pub(super) fn read(bytes: &[u8]) -> Result<Self, CursorError> {
        let (grouping, mut bytes) = bytes.split_first_chunk::<4>().ok_or(CursorError)?;
        let to = read_varint(&mut bytes)?;
        let seq = read_varint(&mut bytes)?;
        let bit = read_bits(&mut bytes)?;
        let (&topics, bytes) = bytes.split_first().ok_or(CursorError)?;
        // With a place beyond any journal, sums would overflow.
        if to > MAX_SEQ || seq > to || !bit.is_power_of_two() {
            return Err(CursorError);
        }
        let unsent = match bytes {
            [] => SmallVec::new(),
            unsent => read_unsent(unsent, to)?,
        };
        Ok(Self {
            to,
            unsent,
            sent: (seq, bit),
            topics,
            grouping: u32::from_le_bytes(*grouping),
        })
    }
}
