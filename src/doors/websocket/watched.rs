//! The socket under a client's WebSocket: it counts the bytes that the client takes, looks at the frames that the client
//! sends before the WebSocket reads them, and inflates them where that was agreed on.

use std::{
    io,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    task::{Context, Poll, ready},
};

use bytes::{Buf, Bytes, BytesMut};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::fragments::Fragments;
use crate::net::{self, deflate::Inbound};

/// A socket that counts and looks.
#[derive(Debug)]
pub(super) struct Watched {
    socket: net::Socket,
    /// Bytes that came with the handshake.
    early: Bytes,
    fragments: Fragments,
    taken: Arc<AtomicU64>,
    /// Inflates what the client sends, where that was agreed on.
    inflating: Option<Inflating>,
}

/// The bytes of a client on their way through the inflation.
#[derive(Debug)]
struct Inflating {
    inbound: Inbound,
    /// Bytes for the WebSocket to read.
    ready: BytesMut,
}

impl Watched {
    /// A socket of which `early` was read already. `taken` counts the bytes that the client takes.
    pub(super) fn new(
        socket: net::Socket,
        early: Bytes,
        fragments: Fragments,
        taken: Arc<AtomicU64>,
        inbound: Option<Inbound>,
    ) -> Self {
        Self {
            socket,
            early,
            fragments,
            taken,
            inflating: inbound.map(|inbound| Inflating {
                inbound,
                ready: BytesMut::new(),
            }),
        }
    }

    /// Reads what the client sent, after a look at its frames.
    fn poll_sent(&mut self, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        if self.early.is_empty() {
            ready!(Pin::new(&mut self.socket).poll_read(cx, buf))?;
        } else {
            let most = self.early.len().min(buf.remaining());
            buf.put_slice(&self.early[..most]);
            self.early.advance(most);
        }
        let looked = self.fragments.look(&buf.filled()[before..]);
        Poll::Ready(looked.map_err(io::Error::other))
    }

    /// Reads into `buf` what is inflated, and from the client until something is.
    fn poll_inflated(
        &mut self,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        while self.inflating.as_ref().is_some_and(|i| i.ready.is_empty()) {
            // The buffer serves twice: the bytes read are taken out before it is filled.
            let mut read = ReadBuf::new(buf.initialize_unfilled());
            ready!(self.poll_sent(cx, &mut read))?;
            let sent = read.filled();
            if sent.is_empty() {
                return Poll::Ready(Ok(()));
            }
            if let Some(Inflating { inbound, ready }) = &mut self.inflating {
                inbound.take(sent, ready).map_err(io::Error::other)?;
            }
        }
        if let Some(Inflating { ready, .. }) = &mut self.inflating {
            let most = ready.len().min(buf.remaining());
            buf.put_slice(&ready.split_to(most));
            if ready.is_empty() {
                // An empty rest would keep the whole buffer that it is a part of.
                *ready = BytesMut::new();
            }
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncRead for Watched {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        match self.inflating {
            Some(_) => self.poll_inflated(cx, buf),
            None => self.poll_sent(cx, buf),
        }
    }
}

impl AsyncWrite for Watched {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.socket).poll_write(cx, buf);
        if let Poll::Ready(Ok(written)) = written {
            self.taken.fetch_add(written as u64, Ordering::Relaxed);
        }
        written
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_shutdown(cx)
    }
}
