//! Messages that a writer took from a lane and has not written yet.

use std::{collections::VecDeque, io::IoSlice};

use smallvec::SmallVec;

use super::lane::ExpressLane;
use crate::delivery::{Places, QueuedMessage};

/// The most messages in one vectored write.
const MAX_VECTORED_PIECES: usize = 64;

pub(super) type Slices<'b> = SmallVec<[IoSlice<'b>; MAX_VECTORED_PIECES]>;

/// A writer's messages.
#[derive(Debug, Default)]
pub(super) struct Batch {
    /// The messages that are not written yet.
    pub(super) pieces: VecDeque<QueuedMessage>,
    /// Bytes of the first message that are written.
    begun: usize,
    /// The client's place after the messages that it got, and after the first one, if that was put off while half
    /// written.
    places: Places,
}

impl Batch {
    /// The first messages, for one write.
    pub(super) fn slices(&self) -> Slices<'_> {
        let pieces = self.pieces.iter().take(MAX_VECTORED_PIECES);
        let mut begun = self.begun;
        pieces
            .map(|piece| IoSlice::new(&piece.message.bytes[std::mem::take(&mut begun)..]))
            .collect()
    }

    /// Notes that so many more bytes are written.
    pub(super) fn advance(&mut self, written: usize) {
        self.begun += written;
        let mut done = 0;
        for piece in &self.pieces {
            let len = piece.message.bytes.len();
            if self.begun < len {
                break;
            }
            self.begun -= len;
            done += 1;
        }
        self.places.pass_all(self.pieces.range(..done));
        self.pieces.drain(..done);
    }

    /// Returns the messages that are not begun to the lane: while the client takes nothing, they may be reclaimed, or a
    /// heartbeat may overtake them.
    pub(super) fn put_back(&mut self, lane: &ExpressLane) {
        let first = match self.begun {
            0 => None,
            _ => self.pieces.pop_front(),
        };
        if let Some(first) = &first {
            self.places.pass(first);
        }
        lane.put_back(&mut self.pieces, &self.places);
        self.pieces.extend(first);
    }
}
