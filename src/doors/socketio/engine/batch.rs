//! Messages that a writer took from a lane and has not written yet.

use std::{collections::VecDeque, io::IoSlice, sync::Arc};

use smallvec::SmallVec;

use super::lane::ExpressLane;
use crate::{
    delivery::{Places, QueuedMessage},
    net::deflate::Compression,
    observe::Sockets,
};

/// The most messages in one vectored write.
const MAX_VECTORED_PIECES: usize = 64;

pub(super) type Slices<'b> = SmallVec<[IoSlice<'b>; MAX_VECTORED_PIECES]>;

/// A writer's messages.
#[derive(Debug)]
pub(super) struct Batch {
    /// The messages that are not written yet.
    pub(super) pieces: VecDeque<QueuedMessage>,
    /// Bytes of the first message that are written.
    begun: usize,
    /// The client's place after the messages that it got, and after the first one, if that was put off while half
    /// written.
    places: Places,
    /// The compression, if the client takes compressed messages.
    compression: Option<Arc<Compression>>,
}

impl Batch {
    pub(super) fn new(compression: Option<Arc<Compression>>) -> Self {
        Self {
            pieces: VecDeque::new(),
            begun: 0,
            places: Places::default(),
            compression,
        }
    }

    /// Takes messages from the lane, of about `max` bytes, in the form in which this client gets them; `false` when there
    /// are none. Until here they wait as they are, so that all clients share them.
    pub(super) async fn fill(&mut self, lane: &ExpressLane, max: usize) -> bool {
        let from = self.pieces.len();
        let are_any = lane.take(&mut self.pieces, max);
        if let Some(compression) = &self.compression {
            let taken = self.pieces.range_mut(from..);
            let saved = compression.compress(taken.map(|piece| &mut piece.message));
            lane.spared(saved.await);
        }
        are_any
    }

    /// The first messages, for one write.
    pub(super) fn slices(&self) -> Slices<'_> {
        let pieces = self.pieces.iter().take(MAX_VECTORED_PIECES);
        let mut begun = self.begun;
        pieces
            .map(|piece| IoSlice::new(&piece.message.bytes[std::mem::take(&mut begun)..]))
            .collect()
    }

    /// Notes that so many more bytes are written, and counts how long the messages among them took.
    pub(super) fn advance(&mut self, written: usize, sockets: &Sockets) {
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
        let stamps = self.pieces.range(..done);
        sockets.written(stamps.flat_map(|piece| piece.message.stamps()));
        self.places.pass_all(self.pieces.range(..done));
        self.pieces.drain(..done);
    }

    /// Returns the messages that are not begun to the lane: while the client takes nothing, they may be reclaimed, or a
    /// heartbeat may overtake them.
    pub(super) fn put_back(&mut self, lane: &ExpressLane) {
        self.part_begun(lane.sockets());
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

    /// Parts the first message, if it joins several and some of it is written: only one of these is begun.
    fn part_begun(&mut self, sockets: &Sockets) {
        if self.begun == 0 {
            return;
        }
        if let Some(first) = self.pieces.pop_front() {
            for part in first.parts().into_iter().rev() {
                self.pieces.push_front(part);
            }
            self.advance(0, sockets);
        }
    }
}
