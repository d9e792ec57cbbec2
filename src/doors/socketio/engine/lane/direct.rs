//! Writing without the connection's own writer: by a sender, which goes from socket to socket.
//!
//! A sender writes to a plain socket that takes all at once. Everything else is the writer's: encrypted and compressed bytes,
//! a socket that is full, an error, the end of the connection. One of the two has the socket at a time.

use std::sync::{Arc, atomic::Ordering};

use super::{
    super::{
        batch::Batch,
        senders::{Again, send_soon},
    },
    express::{ExpressLane, Hands},
};
use crate::{net::stream::WriteHalf, observe::SocketTally};

/// Bytes that a sender takes from the queue at a time.
const SEND_BYTES: usize = 64 * 1024;

impl ExpressLane {
    /// Lets senders write to this socket from now on, or no longer.
    pub(in crate::doors::socketio::engine) fn set_direct(&self, socket: Option<Arc<WriteHalf>>) {
        let mut state = self.lock();
        // Frames for a client with the msgpack parser are translated by the writer.
        let socket = socket.filter(|_| !self.speaks_msgpack());
        self.is_direct.store(socket.is_some(), Ordering::Release);
        state.socket = socket;
    }

    /// Has a sender write what was queued, or the writer, where that can't be.
    pub fn send_soon(self: &Arc<Self>) {
        if self.is_direct.load(Ordering::Acquire) {
            send_soon(&self.list, self.clone());
        } else {
            self.flush();
        }
    }

    /// Writes what waits, as far as the socket takes it at once; the writer gets the rest.
    pub(in crate::doors::socketio::engine) fn send_now(
        &self,
        batch: &mut Batch,
        tally: &mut SocketTally<'_>,
    ) -> Again {
        let Some(socket) = self.begin_sending(batch) else {
            return Again::No;
        };
        // After an error the writer tries again: it waits for the socket, or deals with the error.
        let written = socket.try_write(&batch.slices()).unwrap_or_default();
        tally.sent(written);
        batch.advance(written, tally);
        if batch.pieces.is_empty() {
            return self.end_sending(written);
        }
        let begun = batch.part_begun(tally);
        let mut state = self.lock();
        state.begun |= written > 0;
        state.uncount(written);
        self.put_back_locked(&mut state, &mut batch.pieces, &batch.places);
        state.rest = begun.map(|begun| (begun, batch.begun));
        state.hands = Hands::Free;
        drop(state);
        batch.begun = 0;
        self.flush();
        Again::No
    }

    /// Takes the socket and what is to be written to it, if both are there.
    fn begin_sending(&self, batch: &mut Batch) -> Option<Arc<WriteHalf>> {
        let mut state = self.lock();
        // The writer goes on by itself.
        if state.hands != Hands::Free {
            return None;
        }
        if state.socket.is_none() || state.rest.is_some() || state.closing {
            drop(state);
            self.flush();
            return None;
        }
        state.fill(batch, SEND_BYTES);
        if batch.pieces.is_empty() {
            return None;
        }
        state.hands = Hands::Sender;
        state.socket.clone()
    }

    /// Gives the socket back after everything that was taken is written.
    fn end_sending(&self, written: usize) -> Again {
        let mut state = self.lock();
        state.begun = true;
        state.uncount(written);
        state.hands = Hands::Free;
        if state.closing {
            drop(state);
            self.flush();
            return Again::No;
        }
        if state.queue.is_empty() {
            Again::No
        } else {
            Again::Yes
        }
    }
}
