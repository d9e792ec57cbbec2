//! What a writer took from a lane and has not written yet.

use std::{collections::VecDeque, io::IoSlice};

use smallvec::SmallVec;

use super::lane::ExpressLane;
use crate::delivery::{Places, QueuedMessage};

/// How many pieces one vectored write has at the most.
const MAX_VECTORED_PIECES: usize = 64;

pub(super) type Slices<'b> = SmallVec<[IoSlice<'b>; MAX_VECTORED_PIECES]>;

/// What the writer took from the queue.
#[derive(Debug, Default)]
pub(super) struct Batch {
    /// What is to be written.
    pub(super) pieces: VecDeque<QueuedMessage>,
    /// How much of the first one is written.
    begun: usize,
    /// Where the client stands by what it got, and by the first one if that was ever put off while it was begun.
    places: Places,
}

impl Batch {
    /// The first pieces, for one write.
    pub(super) fn slices(&self) -> Slices<'_> {
        let pieces = self.pieces.iter().take(MAX_VECTORED_PIECES);
        let mut begun = self.begun;
        pieces
            .map(|piece| IoSlice::new(&piece.message.bytes[std::mem::take(&mut begun)..]))
            .collect()
    }

    /// So many bytes more are written.
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

    /// Gives back what is not begun: while the client takes nothing, it may be taken back, or overtaken by a heartbeat.
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
