//! The task that writes what a lane holds to the client's socket, where a sender can't (`lane/direct.rs`).
//!
//! A plain socket gets all messages of a batch in one call and takes as many bytes as it can, without a copy. An
//! encrypted one copies them into its records, so what the writer took from the lane stays taken. In both cases a
//! client that takes nothing for the stall time is given up.

use std::{future::poll_fn, io, net::Shutdown, sync::Arc, task::Poll, time::Duration};

use socket2::SockRef;
use tokio::{
    net::{TcpStream, tcp::OwnedWriteHalf},
    time::Instant,
};

use super::{
    batch::{Batch, Taken},
    close_reason::CloseReason,
    lane::ExpressLane,
};
use crate::net::{
    deflate::Compression,
    stream::{Shared, WriteHalf, Writer},
};

/// Bytes that are taken from the queue at a time: enough to be worth a system call, and few enough that a heartbeat is
/// soon behind them.
const WRITE_BATCH_BYTES: usize = 32 * 1024;
/// Batches that are written in a row. Then other tasks have the thread, so a client with much to read delays nobody.
const WRITE_RUN: usize = 2;

/// The time for which the bytes of a refused client are still read and thrown away.
const LINGER_TIME: Duration = Duration::from_secs(1);

/// Senders may write to the socket of this lane, as long as its writer lives.
struct Direct<'l>(&'l ExpressLane);

impl Drop for Direct<'_> {
    fn drop(&mut self) {
        self.0.set_direct(None);
    }
}

/// Writes until the lane is closed and empty, or the connection is lost.
pub(super) async fn write_out(
    lane: Arc<ExpressLane>,
    socket: WriteHalf,
    compression: Option<Arc<Compression>>,
) {
    let socket = Arc::new(socket);
    let _direct = Direct(&lane);
    if compression.is_none() && matches!(socket.io, Writer::Plain(_)) {
        lane.set_direct(Some(socket.clone()));
    }
    let mut batch = Batch::new(compression);
    loop {
        // The end is checked before the queue is emptied: the last message is queued with the end, and must still be
        // written.
        let over = lane.killed().is_some() || lane.is_closing();
        let mut run = 0;
        let taken = loop {
            let taken = batch.fill(&lane, WRITE_BATCH_BYTES).await;
            if taken != Taken::Some {
                break taken;
            }
            if let Err(error) = write_batch(&lane, &socket, &mut batch).await {
                tracing::debug!(%error, "connection lost while writing");
                if error.kind() == io::ErrorKind::TimedOut {
                    lane.kill(CloseReason::Stalled);
                }
                // The kernel would hold its bytes for minutes for a client that doesn't read.
                socket.abandon();
                lane.close();
                return;
            }
            run += 1;
            if run == WRITE_RUN {
                tokio::task::yield_now().await;
                run = 0;
            }
        };
        if over && taken == Taken::Nothing {
            shut_down(&lane, &socket).await;
            if lane.killed().is_some_and(|why| why.last_word().is_some()) {
                tokio::time::timeout(LINGER_TIME, ignore(&socket))
                    .await
                    .ok();
            }
            return;
        }
        // The wake of an end that came while the socket was full is used up.
        if taken == Taken::Nothing && (lane.killed().is_some() || lane.is_closing()) {
            continue;
        }
        let silent = async {
            match lane.silent_at() {
                Some(at) => tokio::time::sleep_until(at).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            () = lane.writer.notified() => {}
            () = silent => if lane.silent_at().is_some_and(|at| at <= Instant::now()) {
                lane.kill(CloseReason::Silent);
            },
        }
    }
}

async fn write_batch(lane: &ExpressLane, socket: &WriteHalf, batch: &mut Batch) -> io::Result<()> {
    match &socket.io {
        Writer::Plain(half) => write_plain(lane, socket, half, batch).await,
        Writer::Tls(shared) => write_tls(lane, shared, batch).await,
    }
}

async fn write_plain(
    lane: &ExpressLane,
    socket: &WriteHalf,
    half: &OwnedWriteHalf,
    batch: &mut Batch,
) -> io::Result<()> {
    while !batch.pieces.is_empty() {
        let written = socket.try_write(&batch.slices());
        match written {
            Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
            Ok(written) => {
                lane.written(written);
                batch.advance(written, &mut lane.sockets().tally());
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                batch.put_back(lane);
                patiently(lane, half.writable()).await?;
                batch.fill(lane, WRITE_BATCH_BYTES).await;
            }
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// Writes over TLS. Bytes in records that the socket has not taken count as written: the records' buffer is small.
async fn write_tls(lane: &ExpressLane, socket: &Shared, batch: &mut Batch) -> io::Result<()> {
    while !batch.pieces.is_empty() {
        let pieces = batch.slices();
        let write = poll_fn(|cx| socket.poll_write_vectored(cx, &pieces));
        let written = patiently(lane, write).await?;
        if written == 0 {
            return Err(io::ErrorKind::WriteZero.into());
        }
        drop(pieces);
        lane.written(written);
        batch.advance(written, &mut lane.sockets().tally());
    }
    patiently(lane, poll_fn(|cx| socket.poll_flush(cx))).await
}

/// Sends the end of the stream, without waiting for a client that doesn't take it.
async fn shut_down(lane: &ExpressLane, socket: &WriteHalf) {
    match &socket.io {
        Writer::Plain(half) => SockRef::from(half.as_ref()).shutdown(Shutdown::Write).ok(),
        Writer::Tls(shared) => {
            let goodbye = poll_fn(|cx| shared.poll_shutdown(cx));
            tokio::time::timeout(lane.stall(), goodbye)
                .await
                .ok()
                .and_then(Result::ok)
        }
    };
}

/// Reads to the end and throws the bytes away. A connection that is closed while bytes lie unread is reset, and the
/// client would lose the close frame with the reason. (Over TLS it may: only the reader of the records could read these
/// bytes.)
async fn ignore(socket: &WriteHalf) {
    let Writer::Plain(half) = &socket.io else {
        return;
    };
    // On the heap, since every writer would have room for it all its life.
    let mut scratch = vec![0; 4 * 1024];
    let stream: &TcpStream = half.as_ref();
    while stream.readable().await.is_ok() {
        match stream.try_read(&mut scratch) {
            Ok(0) => return,
            Err(error) if error.kind() != io::ErrorKind::WouldBlock => return,
            _ => tokio::task::yield_now().await,
        }
    }
}

/// Waits until the client takes bytes, at most for the stall time, and ends when the lane is killed.
async fn patiently<T>(
    lane: &ExpressLane,
    taken: impl Future<Output = io::Result<T>>,
) -> io::Result<T> {
    let stalled = tokio::time::sleep(lane.stall());
    tokio::pin!(stalled, taken);
    if let Poll::Ready(taken) = poll_fn(|cx| Poll::Ready(taken.as_mut().poll(cx))).await {
        return taken;
    }
    lane.held_up();
    loop {
        tokio::select! {
            biased;
            taken = &mut taken => {
                lane.took();
                return taken;
            }
            () = &mut stalled => return Err(io::ErrorKind::TimedOut.into()),
            // Each flush wakes the writer; here only a kill matters.
            () = lane.writer.notified() => if lane.killed().is_some() {
                return Err(io::ErrorKind::ConnectionAborted.into());
            },
        }
    }
}
