//! The stream that the engine gets instead of the TCP socket, and the task that writes to the real one.
//!
//! Writes never wait: the engine's bytes join the lane's queue, so its writer can't hang on a client that doesn't read,
//! and its heartbeat keeps working. Reads fail once the lane is killed, which is how the engine learns of it.

use std::{
    collections::VecDeque,
    io::{self, IoSlice},
    pin::Pin,
    sync::{Arc, LazyLock},
    task::{Context, Poll},
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
    kill::Kill,
    lane::{Lane, Piece, Places},
};
use crate::update::Namespace;

/// A WebSocket's byte stream as the engine sees it.
#[derive(Debug)]
pub struct Guard {
    /// What the client sent ahead of the upgrade's answer.
    early: Bytes,
    /// What it sends.
    read: OwnedReadHalf,
    /// Where everything for it goes.
    lane: Arc<Lane>,
}

impl Guard {
    /// Takes over an upgraded connection: starts its writer and returns the engine's side.
    pub fn new(stream: TcpStream, early: Bytes, lane: Arc<Lane>) -> Self {
        let (read, write) = stream.into_split();
        tokio::spawn(write_out(lane.clone(), write));
        Self { early, read, lane }
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
            return Poll::Ready(Err(io::Error::new(
                io::ErrorKind::ConnectionAborted,
                kill.reason(),
            )));
        }
        if this.lane.reading_paused() {
            return Poll::Pending;
        }
        if this.early.has_remaining() {
            let n = this.early.len().min(buf.remaining());
            buf.put_slice(&this.early.split_to(n));
            return Poll::Ready(Ok(()));
        }
        Pin::new(&mut this.read).poll_read(cx, buf)
    }
}

impl AsyncWrite for Guard {
    fn poll_write(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        if let Some(kill) = self.lane.killed() {
            return Poll::Ready(Err(io::Error::new(
                io::ErrorKind::ConnectionAborted,
                kill.reason(),
            )));
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
    let mut batch = Batch::default();
    loop {
        while lane.take(&mut batch.pieces, BATCH) {
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
            return;
        }
        lane.writer.notified().await;
    }
}

/// What the writer took from the queue.
#[derive(Debug, Default)]
struct Batch {
    /// What is to be written.
    pieces: VecDeque<Piece>,
    /// Some of the first one is written.
    begun: bool,
    /// Where the client stands by what it began to get.
    places: Places,
}

impl Batch {
    /// So many bytes more are written.
    fn advance(&mut self, mut written: usize) {
        while let Some(front) = self.pieces.front_mut() {
            if written > 0 && !self.begun {
                self.places.pass(front);
                self.begun = true;
            }
            if written < front.bytes.len() {
                front.bytes.advance(written);
                return;
            }
            written -= front.bytes.len();
            self.pieces.pop_front();
            self.begun = false;
        }
    }

    /// Gives back what is not begun: while the client takes nothing, it may be taken back, or overtaken by a heartbeat.
    fn put_back(&mut self, lane: &Lane) {
        let first = if self.begun {
            self.pieces.pop_front()
        } else {
            None
        };
        lane.put_back(&mut self.pieces, &self.places);
        self.pieces.extend(first);
    }
}

/// Writes until nothing is left but what the client doesn't take now.
async fn write_all(lane: &Lane, socket: &OwnedWriteHalf, batch: &mut Batch) -> io::Result<()> {
    while !batch.pieces.is_empty() {
        let slices: SmallVec<[IoSlice<'_>; PIECES]> = batch
            .pieces
            .iter()
            .take(PIECES)
            .map(|piece| IoSlice::new(&piece.bytes))
            .collect();
        match socket.try_write_vectored(&slices) {
            Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
            Ok(written) => {
                drop(slices);
                lane.written(written);
                batch.advance(written);
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                drop(slices);
                batch.put_back(lane);
                writable(lane, socket).await?;
                lane.take(&mut batch.pieces, BATCH);
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
