//! The WebSocket of one client: messages out in batches, with an eye on clients that take nothing.

use std::{
    io,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    task::{Context, Poll, ready},
    time::Duration,
};

use bytes::{Bytes, BytesMut};
use futures_util::{SinkExt, StreamExt};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio_tungstenite::{
    WebSocketStream,
    tungstenite::{
        self, Message, Utf8Bytes,
        protocol::{
            CloseFrame, Role, WebSocketConfig,
            frame::{
                Frame, FrameHeader,
                coding::{Data, OpCode},
            },
        },
    },
};

use crate::{
    delivery::WireMessage,
    net::{
        self,
        deflate::{Compression, Inbound},
    },
};

/// The buffer for bytes that come; a client of these doors sends little.
const READ_BUFFER: usize = 1_024;
/// The bytes that are collected before they are written.
const WRITE_BUFFER: usize = 32 * 1_024;

/// A client's WebSocket.
#[derive(Debug)]
pub(super) struct ClientSocket {
    stream: WebSocketStream<Watched>,
    /// Bytes that the client has taken: a slow client takes some, a stalled one none.
    taken: Arc<AtomicU64>,
    /// The time after which a client is given up that takes nothing.
    stall: Duration,
    /// The compression, if it was agreed on.
    compression: Option<Arc<Compression>>,
}

impl ClientSocket {
    /// The WebSocket over an upgraded connection, of which `early` was read already.
    pub(super) async fn new(
        socket: net::Socket,
        early: Bytes,
        max_message: usize,
        stall: Duration,
        compression: Option<Arc<Compression>>,
    ) -> Self {
        let taken = Arc::new(AtomicU64::new(0));
        let (early, inflating) = match &compression {
            None => (early, None),
            Some(compression) => {
                let inflating = Inflating::new(compression.inbound(), early);
                (Bytes::new(), Some(inflating))
            }
        };
        let watched = Watched {
            socket,
            taken: taken.clone(),
            inflating,
        };
        let config = WebSocketConfig::default()
            .read_buffer_size(READ_BUFFER)
            .write_buffer_size(WRITE_BUFFER)
            .max_message_size(Some(max_message))
            .max_frame_size(Some(max_message));
        let early = early.into();
        let stream =
            WebSocketStream::from_partially_read(watched, early, Role::Server, Some(config)).await;
        Self {
            stream,
            taken,
            stall,
            compression,
        }
    }

    /// The next message; `None` at the end.
    pub(super) async fn next(&mut self) -> Option<tungstenite::Result<Message>> {
        self.stream.next().await
    }

    /// Collects a text to be written.
    pub(super) async fn feed(&mut self, text: &Arc<WireMessage>) -> tungstenite::Result<()> {
        let compressed = match &self.compression {
            Some(compression) => compression.payload(text).await,
            None => None,
        };
        let message = match compressed {
            Some(payload) => compressed_text(payload),
            None => match Utf8Bytes::try_from(text.bytes.clone()) {
                Ok(text) => Message::Text(text),
                Err(_) => return Ok(()),
            },
        };
        let (taken, stall) = (self.taken.clone(), self.stall);
        patiently(&taken, stall, self.stream.feed(message)).await
    }

    /// Sends a ping with what was collected.
    pub(super) async fn ping(&mut self) -> tungstenite::Result<()> {
        let (taken, stall) = (self.taken.clone(), self.stall);
        patiently(&taken, stall, self.stream.send(Message::Ping(Bytes::new()))).await
    }

    /// Writes all that was collected.
    pub(super) async fn flush(&mut self) -> tungstenite::Result<()> {
        let (taken, stall) = (self.taken.clone(), self.stall);
        patiently(&taken, stall, self.stream.flush()).await
    }

    /// Ends the connection with a close frame, and waits a moment for the client's.
    pub(super) async fn close(&mut self, frame: CloseFrame, within: Duration) {
        let goodbye = async {
            self.stream.close(Some(frame)).await.ok();
            while let Some(Ok(_)) = self.stream.next().await {}
        };
        tokio::time::timeout(within, goodbye).await.ok();
    }
}

/// A text in its compressed form, as one frame.
fn compressed_text(payload: Bytes) -> Message {
    let header = FrameHeader {
        rsv1: true,
        opcode: OpCode::Data(Data::Text),
        ..FrameHeader::default()
    };
    Message::Frame(Frame::from_payload(header, payload))
}

/// Waits for a write as long as the client takes bytes.
async fn patiently<T>(
    taken: &AtomicU64,
    stall: Duration,
    write: impl Future<Output = tungstenite::Result<T>>,
) -> tungstenite::Result<T> {
    let mut write = std::pin::pin!(write);
    loop {
        let before = taken.load(Ordering::Relaxed);
        match tokio::time::timeout(stall, write.as_mut()).await {
            Ok(written) => return written,
            Err(_) if taken.load(Ordering::Relaxed) == before => {
                return Err(io::Error::from(io::ErrorKind::TimedOut).into());
            }
            Err(_) => {}
        }
    }
}

/// A socket that counts the bytes that the client takes.
#[derive(Debug)]
struct Watched {
    socket: net::Socket,
    taken: Arc<AtomicU64>,
    /// Inflates what the client sends, where that was agreed on.
    inflating: Option<Inflating>,
}

/// The bytes of a client on their way through the inflation.
#[derive(Debug)]
struct Inflating {
    inbound: Inbound,
    /// Bytes that came with the handshake.
    early: Bytes,
    /// Bytes for the WebSocket to read.
    ready: BytesMut,
}

impl Inflating {
    fn new(inbound: Inbound, early: Bytes) -> Self {
        Self {
            inbound,
            early,
            ready: BytesMut::new(),
        }
    }

    /// Reads into `buf` what is ready, and from the socket until something is.
    fn poll_read(
        &mut self,
        socket: &mut net::Socket,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        while self.ready.is_empty() {
            let came = if self.early.is_empty() {
                // The buffer serves twice: the bytes read are taken out before it is filled.
                let mut read = ReadBuf::new(buf.initialize_unfilled());
                ready!(Pin::new(&mut *socket).poll_read(cx, &mut read))?;
                let came = read.filled().len();
                if came == 0 {
                    return Poll::Ready(Ok(()));
                }
                self.inbound.take(read.filled(), &mut self.ready)
            } else {
                let early = std::mem::take(&mut self.early);
                self.inbound.take(&early, &mut self.ready)
            };
            came.map_err(io::Error::other)?;
        }
        let most = self.ready.len().min(buf.remaining());
        buf.put_slice(&self.ready.split_to(most));
        if self.ready.is_empty() {
            // An empty rest would keep the whole buffer that it is a part of.
            self.ready = BytesMut::new();
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
        let this = &mut *self;
        match &mut this.inflating {
            Some(inflating) => inflating.poll_read(&mut this.socket, cx, buf),
            None => Pin::new(&mut this.socket).poll_read(cx, buf),
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
