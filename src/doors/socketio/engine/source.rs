//! A client's frames as they come: read from its socket and checked.
//!
//! All clients of a thread are read into one buffer, since what was read is copied out before the next one is: a client
//! that says nothing has none.

use std::{
    cell::RefCell,
    io,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

use bytes::{Buf, Bytes};
use tokio::io::{AsyncRead, ReadBuf};

use super::{
    close_reason::CloseReason, incoming::Incoming, lane::ExpressLane, message::Message,
    writer::write_out,
};
use crate::net::{Socket, deflate::Compression, stream::ReadHalf};

/// Bytes of one read.
const READ_BYTES: usize = 16 * 1_024;
/// Bytes of what is read ahead of the answer to a CONNECT: a client has little to say before it is on a namespace.
const READ_AHEAD_BYTES: usize = 16 * 1_024;

thread_local! {
    static SCRATCH: RefCell<Vec<u8>> = RefCell::new(vec![0; READ_BYTES]);
}

/// The reading side of a client's WebSocket.
#[derive(Debug)]
pub(in crate::doors::socketio) struct Source {
    /// Bytes that the client sent before the upgrade was answered.
    early: Bytes,
    read: ReadHalf,
    /// Checks the client's frames against the bounds.
    incoming: Incoming,
}

impl Source {
    pub(super) fn new(early: Bytes, read: ReadHalf, incoming: Incoming) -> Self {
        Self {
            early,
            read,
            incoming,
        }
    }

    /// Takes over an upgraded connection: starts its writer, and returns the other side. `early` came before the upgrade
    /// was answered.
    pub(in crate::doors::socketio) fn begin(
        socket: Socket,
        early: Bytes,
        lane: &Arc<ExpressLane>,
        compression: Option<Arc<Compression>>,
    ) -> Self {
        let (read, write) = socket.split();
        let incoming = Incoming::new(lane.incoming(), compression.as_deref());
        tokio::spawn(write_out(lane.clone(), write, compression));
        Self::new(early, read, incoming)
    }

    /// The next message of a client; `None` at the end of the stream, or when the lane is killed.
    pub(in crate::doors::socketio) fn poll_message(
        &mut self,
        cx: &mut Context<'_>,
        lane: &ExpressLane,
    ) -> Poll<Option<Message>> {
        // The waker is registered before the flags are read, so that a change in between is not missed.
        lane.reader.register(cx.waker());
        loop {
            if lane.killed().is_some() {
                return Poll::Ready(None);
            }
            if lane.reading_paused() {
                return Poll::Pending;
            }
            if let Some(message) = self.next_message() {
                return Poll::Ready(Some(message));
            }
            if !matches!(ready!(self.poll_read(cx, lane)), Ok(true)) {
                return Poll::Ready(None);
            }
        }
    }

    /// Reads on while the client's CONNECT is judged; ready when the client is gone, or says next that it goes. What it
    /// asks for meanwhile is kept for later, up to a bound, beyond which it is not read.
    pub(in crate::doors::socketio) fn poll_gone(
        &mut self,
        cx: &mut Context<'_>,
        lane: &ExpressLane,
    ) -> Poll<()> {
        while !self.incoming.ends_next() {
            if self.incoming.held() > READ_AHEAD_BYTES {
                return Poll::Pending;
            }
            match ready!(self.poll_read(cx, lane)) {
                Ok(true) => {}
                // The client may have sent all that it wants, and nothing more.
                Ok(false) if self.incoming.asks() => return Poll::Pending,
                Ok(false) | Err(_) => return Poll::Ready(()),
            }
        }
        Poll::Ready(())
    }

    /// Notes that a CONNECT packet was answered, or handed on.
    pub(in crate::doors::socketio) fn decided(&mut self) {
        self.incoming.decided();
    }

    /// The next whole message of those that were read.
    pub(super) fn next_message(&mut self) -> Option<Message> {
        self.incoming.next_message()
    }

    /// Reads from the client once; `false` at the end of the stream.
    ///
    /// # Errors
    /// The connection is lost, or the frames break a bound, over which the lane is killed.
    pub(super) fn poll_read(
        &mut self,
        cx: &mut Context<'_>,
        lane: &ExpressLane,
    ) -> Poll<io::Result<bool>> {
        if self.incoming.is_turn_over() {
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        SCRATCH.with_borrow_mut(|scratch| {
            let most = self.incoming.next_read().min(scratch.len());
            let mut read = ReadBuf::new(&mut scratch[..most]);
            if self.early.has_remaining() {
                let n = self.early.len().min(most);
                read.put_slice(&self.early.split_to(n));
                if self.early.is_empty() {
                    // An empty rest would keep the whole buffer that it is a part of.
                    self.early = Bytes::new();
                }
            } else {
                ready!(Pin::new(&mut self.read).poll_read(cx, &mut read))?;
            }
            if read.filled().is_empty() {
                return Poll::Ready(Ok(false));
            }
            lane.heard();
            let looked = self.incoming.look(read.filled(), || lane.is_joined());
            Poll::Ready(looked.map(|()| true).map_err(|kill| {
                lane.kill(kill);
                aborted(kill)
            }))
        })
    }
}

/// The error of a stream whose lane was killed.
pub(super) fn aborted(kill: CloseReason) -> io::Error {
    io::Error::new(io::ErrorKind::ConnectionAborted, kill.reason())
}
