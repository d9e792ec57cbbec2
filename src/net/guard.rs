//! The stream that the engine gets instead of the client's socket.
//!
//! Writes never wait: the engine's bytes join the lane's queue, so its writer can't hang on a client that doesn't read,
//! and its heartbeat keeps working. Reads fail once the lane is killed, which is how the engine learns of it.

use std::{
    io,
    pin::Pin,
    sync::{Arc, LazyLock},
    task::{Context, Poll, ready},
};

use bytes::{Buf, Bytes};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::{
    connection::Presence,
    frame::{Frame, first_frame},
    gate::mark,
    incoming::Incoming,
    kill::Kill,
    lane::Lane,
    quota::Slot,
    stream::{ReadHalf, Socket},
    writer::write_out,
};
use crate::update::Namespace;

/// A WebSocket's byte stream as the engine sees it.
#[derive(Debug)]
pub struct Guard {
    /// What the client sent ahead of the upgrade's answer.
    early: Bytes,
    /// What it sends.
    read: ReadHalf,
    /// Holds what it sends against the bounds.
    incoming: Incoming,
    /// Where everything for it goes.
    lane: Arc<Lane>,
    /// What the session counts for while it lives.
    counted: Counted,
}

/// What a session takes up among all there may be.
#[derive(Debug, Default)]
pub struct Counted {
    /// Its place among those that joined no namespace yet; given back with the first that it joins.
    pub pending: Option<Slot>,
    /// Its place among what its address has open behind a proxy.
    pub presence: Option<Presence>,
}

impl Guard {
    /// Takes over an upgraded connection: starts its writer and returns the engine's side.
    pub fn new(socket: Socket, early: Bytes, lane: Arc<Lane>, counted: Counted) -> Self {
        let (read, write) = socket.split();
        tokio::spawn(write_out(lane.clone(), write));
        let incoming = Incoming::new(lane.incoming());
        Self {
            early,
            read,
            incoming,
            lane,
            counted,
        }
    }
}

impl AsyncRead for Guard {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = &mut *self;
        // Registered before the flags are read, so that a change in between is not missed.
        this.lane.reader.register(cx.waker());
        if let Some(kill) = this.lane.killed() {
            return Poll::Ready(Err(aborted(kill)));
        }
        if this.lane.reading_paused() {
            return Poll::Pending;
        }
        if this.incoming.is_turn_over() {
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        let most = this.incoming.next_read().min(buf.remaining());
        let mut read = ReadBuf::new(buf.initialize_unfilled_to(most));
        if this.early.has_remaining() {
            let n = this.early.len().min(most);
            read.put_slice(&this.early.split_to(n));
        } else {
            ready!(Pin::new(&mut this.read).poll_read(cx, &mut read))?;
        }
        let lane = &this.lane;
        let verdict = this.incoming.look(read.filled(), || lane.is_joined());
        let came = read.filled().len();
        buf.advance(came);
        Poll::Ready(verdict.map_err(|kill| {
            lane.kill(kill);
            aborted(kill)
        }))
    }
}

impl AsyncWrite for Guard {
    fn poll_write(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        if let Some(kill) = self.lane.killed() {
            return Poll::Ready(Err(aborted(kill)));
        }
        if pass(&self.lane, buf) {
            self.counted.pending = None;
        }
        Poll::Ready(Ok(buf.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.lane.flush();
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.lane.close();
        Poll::Ready(Ok(()))
    }
}

fn aborted(kill: Kill) -> io::Error {
    io::Error::new(io::ErrorKind::ConnectionAborted, kill.reason())
}

impl Drop for Guard {
    fn drop(&mut self) {
        self.lane.close();
    }
}

/// Passes the engine's bytes on, frame by frame: marks are taken out, and the answer to an upgrade's probe is noticed.
/// The engine always writes whole frames; should that ever change, the rest is passed on as it is. Whether there was a
/// mark: the client is on a namespace then.
fn pass(lane: &Arc<Lane>, mut buf: &[u8]) -> bool {
    let mut joined = false;
    while let Some((payload_at, end)) = first_frame(buf).filter(|&(_, end)| end <= buf.len()) {
        let (frame, rest) = buf.split_at(end);
        buf = rest;
        let payload = &frame[payload_at..];
        if let Some((namespace, _)) = MARKS.iter().find(|(_, m)| &m.bytes()[..] == frame) {
            lane.marked(*namespace);
            joined = true;
            continue;
        }
        lane.engine_bytes(frame);
        if payload == b"3probe" {
            lane.upgraded();
        }
    }
    if !buf.is_empty() {
        lane.engine_bytes(buf);
    }
    joined
}

static MARKS: LazyLock<[(Namespace, Frame); 3]> =
    LazyLock::new(|| Namespace::ALL.map(|n| (n, mark(n))));
