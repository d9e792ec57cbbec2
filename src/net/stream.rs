//! A client's connection, plain or encrypted, as HTTP sees it and as a WebSocket's two halves.
//!
//! A connection counts for as long as its socket lives: the slot moves with the socket, out of HTTP and into the lane.

use std::{
    fmt,
    io::{self, IoSlice},
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll},
};

use bytes::Bytes;
use hyper::upgrade::Upgraded;
use hyper_util::rt::TokioIo;
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::{
        TcpStream,
        tcp::{OwnedReadHalf, OwnedWriteHalf},
    },
};
use tokio_rustls::server::TlsStream;

use super::{quota::Slot, timeouts::ConnectionTimeouts};
use crate::observe::Sockets;

/// The stream under a connection.
pub(crate) enum Io {
    /// Plain TCP.
    Plain(TcpStream),
    /// TLS. Boxed, since it is twenty times as large, and most connections are plain behind a proxy.
    Tls(Box<TlsStream<TcpStream>>),
}

/// A client's connection.
pub struct Socket {
    io: Io,
    /// Notices bytes that come and writes that don't progress, while HTTP is spoken.
    traffic: Arc<ConnectionTimeouts>,
    /// Counts the connection.
    slot: Arc<Slot>,
    /// Counts the bytes.
    sockets: Sockets,
}

impl fmt::Debug for Socket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Socket")
            .field("tls", &matches!(self.io, Io::Tls(_)))
            .finish_non_exhaustive()
    }
}

impl Socket {
    pub(super) fn new(
        io: Io,
        traffic: Arc<ConnectionTimeouts>,
        slot: Arc<Slot>,
        sockets: Sockets,
    ) -> Self {
        Self {
            io,
            traffic,
            slot,
            sockets,
        }
    }

    /// Splits the socket into reader and writer, for a WebSocket. Plain TCP has no overhead over its own halves.
    pub(crate) fn split(self) -> (ReadHalf, WriteHalf) {
        let (read, write) = match self.io {
            Io::Plain(stream) => {
                let (read, write) = stream.into_split();
                (Reader::Plain(read), Writer::Plain(write))
            }
            Io::Tls(stream) => {
                let shared = Shared(Arc::new(Mutex::new(stream)));
                (Reader::Tls(shared.clone()), Writer::Tls(shared))
            }
        };
        let slot = self.slot;
        (
            ReadHalf {
                io: read,
                sockets: self.sockets,
                _slot: slot.clone(),
            },
            WriteHalf {
                io: write,
                _slot: slot,
            },
        )
    }
}

impl Socket {
    /// The socket of a connection that was upgraded, and the bytes that came before; `None` for a connection that is
    /// not one of the listener's.
    pub(crate) fn upgraded(upgraded: Upgraded) -> Option<(Self, Bytes)> {
        let Ok(parts) = upgraded.downcast::<TokioIo<Self>>() else {
            tracing::error!("an upgraded connection is not one of the listener's");
            return None;
        };
        // The rest of the buffer into which HTTP read would keep all of it, as long as the WebSocket lives.
        let early = Bytes::copy_from_slice(&parts.read_buf);
        Some((parts.io.into_inner(), early))
    }

    fn sent(&self, written: &Poll<io::Result<usize>>) {
        if let Poll::Ready(Ok(bytes)) = written {
            self.sockets.sent(*bytes);
        }
    }
}

impl AsyncRead for Socket {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        let read = match &mut self.io {
            Io::Plain(stream) => Pin::new(stream).poll_read(cx, buf),
            Io::Tls(stream) => Pin::new(stream).poll_read(cx, buf),
        };
        let came = buf.filled().len() - before;
        if came > 0 {
            self.traffic.bytes_came();
            self.sockets.received(came);
        }
        read
    }
}

impl AsyncWrite for Socket {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        let written = match &mut self.io {
            Io::Plain(stream) => Pin::new(stream).poll_write(cx, buf),
            Io::Tls(stream) => Pin::new(stream).poll_write(cx, buf),
        };
        self.traffic.wrote(written.is_pending());
        self.sent(&written);
        written
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = match &mut self.io {
            Io::Plain(stream) => Pin::new(stream).poll_write_vectored(cx, bufs),
            Io::Tls(stream) => Pin::new(stream).poll_write_vectored(cx, bufs),
        };
        self.traffic.wrote(written.is_pending());
        self.sent(&written);
        written
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.io {
            // A plain stream holds nothing back, so a flush doesn't show whether bytes progress.
            Io::Plain(stream) => Pin::new(stream).poll_flush(cx),
            Io::Tls(stream) => {
                let flushed = Pin::new(stream).poll_flush(cx);
                self.traffic.wrote(flushed.is_pending());
                flushed
            }
        }
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.io {
            Io::Plain(stream) => Pin::new(stream).poll_shutdown(cx),
            Io::Tls(stream) => Pin::new(stream).poll_shutdown(cx),
        }
    }
}

/// The half of a connection that reads from the client.
pub(crate) struct ReadHalf {
    io: Reader,
    /// Counts the bytes.
    sockets: Sockets,
    /// The connection counts until both halves are gone.
    _slot: Arc<Slot>,
}

enum Reader {
    Plain(OwnedReadHalf),
    Tls(Shared),
}

impl fmt::Debug for ReadHalf {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ReadHalf")
    }
}

impl AsyncRead for ReadHalf {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        let read = match &mut self.io {
            Reader::Plain(half) => Pin::new(half).poll_read(cx, buf),
            Reader::Tls(shared) => Pin::new(&mut **shared.lock()).poll_read(cx, buf),
        };
        self.sockets.received(buf.filled().len() - before);
        read
    }
}

/// The half of a connection that writes to the client.
pub(crate) struct WriteHalf {
    /// Decides the way of writing once for each batch.
    pub(crate) io: Writer,
    /// The connection counts until both halves are gone.
    _slot: Arc<Slot>,
}

pub(crate) enum Writer {
    Plain(OwnedWriteHalf),
    Tls(Shared),
}

impl fmt::Debug for WriteHalf {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("WriteHalf")
    }
}

#[cfg(test)]
impl WriteHalf {
    /// The half of a stream that no listener counts.
    #[allow(clippy::expect_used)]
    pub(crate) fn of(stream: TcpStream) -> Self {
        let quota = super::quota::Quota::new(super::quota::QuotaLimits {
            total: 1,
            per_address: 1,
            per_second: None,
            exempt: crate::config::Networks::default(),
        });
        let arrival = super::quota::Arrival {
            address: None,
            in_total: true,
            rate: None,
        };
        let slot = quota.take(arrival).expect("there is a slot");
        Self {
            io: Writer::Plain(stream.into_split().1),
            _slot: Arc::new(slot),
        }
    }
}

impl WriteHalf {
    /// Writes as much of these bytes as a plain socket takes at once. One piece goes by a simpler call than several.
    pub(crate) fn try_write(&self, pieces: &[IoSlice<'_>]) -> io::Result<usize> {
        match (&self.io, pieces) {
            (Writer::Plain(half), [piece]) => half.try_write(piece),
            (Writer::Plain(half), pieces) => half.try_write_vectored(pieces),
            (Writer::Tls(_), _) => Err(io::ErrorKind::Unsupported.into()),
        }
    }

    /// Closes without the kernel trying for minutes to deliver its rest.
    pub(crate) fn abandon(&self) {
        match &self.io {
            Writer::Plain(half) => half.as_ref().set_zero_linger().ok(),
            Writer::Tls(shared) => shared.lock().get_ref().0.set_zero_linger().ok(),
        };
    }
}

/// An encrypted stream that a reader and a writer share. The lock is held for one poll, never across an await. Reading
/// never waits for writing inside, so neither half replaces the other's waker.
#[derive(Clone)]
pub(crate) struct Shared(Arc<Mutex<Box<TlsStream<TcpStream>>>>);

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Box<TlsStream<TcpStream>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn poll_write_vectored(
        &self,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut **self.lock()).poll_write_vectored(cx, bufs)
    }

    pub(crate) fn poll_flush(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut **self.lock()).poll_flush(cx)
    }

    pub(crate) fn poll_shutdown(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut **self.lock()).poll_shutdown(cx)
    }
}
