//! Messages that a writer took from a lane and has not written yet.

use std::{collections::VecDeque, io::IoSlice, sync::Arc};

use smallvec::SmallVec;

use super::lane::ExpressLane;
use crate::{
    delivery::{Places, QueuedMessage},
    net::deflate::Compression,
    observe::SocketTally,
};

/// The most messages in one vectored write.
const MAX_VECTORED_PIECES: usize = 64;

pub(super) type Slices<'b> = SmallVec<[IoSlice<'b>; MAX_VECTORED_PIECES]>;

/// The outcome of asking a lane for messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Taken {
    /// There is something to write.
    Some,
    /// Nothing waits.
    Nothing,
    /// A sender is writing to the socket; it wakes the writer if anything is left to do.
    Busy,
}

/// A writer's messages.
#[derive(Debug)]
pub(super) struct Batch {
    /// The messages that are not written yet.
    pub(super) pieces: VecDeque<QueuedMessage>,
    /// Bytes of the first message that are written.
    pub(super) begun: usize,
    /// The client's place after the messages that it got, and after the first one, if that was put off while half
    /// written.
    pub(super) places: Places,
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

    /// Takes messages from the lane, of about `max` bytes, in the form in which this client gets them. Until here they
    /// wait as they are, so that all clients share them.
    pub(super) async fn fill(&mut self, lane: &ExpressLane, max: usize) -> Taken {
        let from = self.pieces.len();
        let taken = lane.take(self, max);
        if lane.speaks_msgpack() {
            let new = self.pieces.range_mut(from..);
            // On the heap, since each writer would have room for it all its life.
            Box::pin(lane.pack(new.map(|piece| &mut piece.message))).await;
        }
        if let Some(compression) = &self.compression {
            let new = self.pieces.range_mut(from..);
            let saved = compression.compress(new.map(|piece| &mut piece.message));
            lane.spared(saved.await);
        }
        taken
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
    pub(super) fn advance(&mut self, written: usize, tally: &mut SocketTally<'_>) {
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
        tally.written(stamps.flat_map(|piece| piece.message.stamps()));
        // Of messages that are all written none is put back.
        if done < self.pieces.len() {
            self.places.pass_all(self.pieces.range(..done));
        }
        self.pieces.drain(..done);
    }

    /// Parts the messages that are not begun from the one that is: while the client takes nothing, they may be reclaimed,
    /// or a heartbeat may overtake them. Returns the one that is begun, which the client's place counts.
    pub(super) fn part_begun(&mut self, tally: &mut SocketTally<'_>) -> Option<QueuedMessage> {
        if self.begun == 0 {
            return None;
        }
        // Of messages that are joined one is begun.
        let first = self.pieces.pop_front()?;
        for part in first.parts().into_iter().rev() {
            self.pieces.push_front(part);
        }
        self.advance(0, tally);
        if self.begun == 0 {
            return None;
        }
        let begun = self.pieces.pop_front()?;
        self.places.pass(&begun);
        Some(begun)
    }

    /// Returns the messages that are not begun to the lane.
    pub(super) fn put_back(&mut self, lane: &ExpressLane) {
        let begun = self.part_begun(&mut lane.sockets().tally());
        lane.put_back(&mut self.pieces, &self.places);
        self.pieces.extend(begun);
    }
}
