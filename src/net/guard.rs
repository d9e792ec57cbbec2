//! The stream that the engine gets instead of the TCP socket, and the task that writes to the real one.
//!
//! Writes never wait: the engine's bytes join the lane's queue, so its writer can't hang on a client that doesn't read,
//! and its heartbeat keeps working. Reads fail once the lane is killed, which is how the engine learns of it.

use std::{
    collections::VecDeque,
    io::{self, IoSlice},
    pin::Pin,
    sync::{Arc, LazyLock},
    task::{Context, Poll, ready},
    time::Duration,
};

use bytes::{Buf, Bytes};
use smallvec::SmallVec;
use tokio::{
    io::{AsyncRead, AsyncWrite, AsyncWriteExt, ReadBuf},
    net::{
        TcpStream,
        tcp::{OwnedReadHalf, OwnedWriteHalf},
    },
};

use super::{
    frame::{Frame, first_frame},
    gate::mark,
    incoming::Incoming,
    kill::Kill,
    lane::Lane,
};
use crate::update::Namespace;

/// A WebSocket's byte stream as the engine sees it.
#[derive(Debug)]
pub struct Guard {
    /// What the client sent ahead of the upgrade's answer.
    early: Bytes,
    /// What it sends.
    read: OwnedReadHalf,
    /// Holds what it sends against the bounds.
    incoming: Incoming,
    /// Where everything for it goes.
    lane: Arc<Lane>,
}

impl Guard {
    /// Takes over an upgraded connection: starts its writer and returns the engine's side.
    pub fn new(stream: TcpStream, early: Bytes, lane: Arc<Lane>) -> Self {
        let (read, write) = stream.into_split();
        tokio::spawn(write_out(lane.clone(), write));
        let incoming = Incoming::new(lane.incoming());
        Self {
            early,
            read,
            incoming,
            lane,
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
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        if let Some(kill) = self.lane.killed() {
            return Poll::Ready(Err(aborted(kill)));
        }
        pass(&self.lane, buf);
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
/// The engine always writes whole frames; should that ever change, the rest is passed on as it is.
fn pass(lane: &Arc<Lane>, mut buf: &[u8]) {
    while let Some((payload_at, end)) = first_frame(buf).filter(|&(_, end)| end <= buf.len()) {
        let (frame, rest) = buf.split_at(end);
        buf = rest;
        let payload = &frame[payload_at..];
        if let Some((namespace, _)) = MARKS.iter().find(|(_, m)| &m.bytes()[..] == frame) {
            lane.marked(*namespace);
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
}

static MARKS: LazyLock<[(Namespace, Frame); 3]> =
    LazyLock::new(|| Namespace::ALL.map(|n| (n, mark(n))));

/// How much is taken from the queue at a time: enough for one system call to be worth it, little enough that a heartbeat
/// is not long behind it.
const BATCH: usize = 32 * 1024;
/// How many pieces one vectored write has at the most.
const PIECES: usize = 64;

async fn write_out(lane: Arc<Lane>, mut socket: OwnedWriteHalf) {
    let mut batch = VecDeque::new();
    loop {
        while lane.take(&mut batch, BATCH) {
            if let Err(error) = write_all(&lane, &socket, &mut batch).await {
                tracing::debug!(%error, "connection lost while writing");
                if error.kind() == io::ErrorKind::TimedOut {
                    lane.kill(Kill::Stalled);
                }
                // What the kernel still holds for a client that doesn't read would stay there for minutes.
                socket.as_ref().set_zero_linger().ok();
                lane.close();
                return;
            }
        }
        if lane.killed().is_some() || lane.is_closing() {
            socket.shutdown().await.ok();
            if lane.killed().is_some_and(|why| why.last_word().is_some()) {
                tokio::time::timeout(LINGER, ignore(&socket)).await.ok();
            }
            return;
        }
        lane.writer.notified().await;
    }
}

/// How long what a refused client still sends is read and thrown away.
const LINGER: Duration = Duration::from_secs(1);

/// Reads to the end for nobody. A connection that is closed while bytes of the client lie unread is reset, and the client
/// would lose the close frame that says why.
async fn ignore(socket: &OwnedWriteHalf) {
    let mut scratch = [0; 4 * 1024];
    let stream: &TcpStream = socket.as_ref();
    while stream.readable().await.is_ok() {
        match stream.try_read(&mut scratch) {
            Ok(0) => return,
            Err(error) if error.kind() != io::ErrorKind::WouldBlock => return,
            _ => tokio::task::yield_now().await,
        }
    }
}

async fn write_all(
    lane: &Lane,
    socket: &OwnedWriteHalf,
    batch: &mut VecDeque<Bytes>,
) -> io::Result<()> {
    while !batch.is_empty() {
        let slices: SmallVec<[IoSlice<'_>; PIECES]> =
            batch.iter().take(PIECES).map(|b| IoSlice::new(b)).collect();
        match socket.try_write_vectored(&slices) {
            Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
            Ok(written) => {
                drop(slices);
                lane.written(written);
                advance(batch, written);
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                drop(slices);
                writable(lane, socket).await?;
            }
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// Waits until the client takes something, at most for the stall time, and not beyond its own death.
async fn writable(lane: &Lane, socket: &OwnedWriteHalf) -> io::Result<()> {
    let stalled = tokio::time::sleep(lane.stall());
    tokio::pin!(stalled);
    loop {
        tokio::select! {
            ready = socket.writable() => return ready,
            () = &mut stalled => return Err(io::ErrorKind::TimedOut.into()),
            // Woken for every flush; only a kill is of interest here.
            () = lane.writer.notified() => if lane.killed().is_some() {
                return Err(io::ErrorKind::ConnectionAborted.into());
            },
        }
    }
}

fn advance(batch: &mut VecDeque<Bytes>, mut written: usize) {
    while let Some(front) = batch.front_mut() {
        if written < front.len() {
            front.advance(written);
            return;
        }
        written -= front.len();
        batch.pop_front();
    }
}
