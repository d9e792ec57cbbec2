//! The WebSocket of one client: messages out in batches, with an eye on clients that take nothing.

use std::{
    io,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use futures_util::{SinkExt, StreamExt};
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

use super::{fragments::Fragments, watched::Watched};
use crate::{
    delivery::WireMessage,
    net::{self, deflate::Compression},
};

/// The buffer for bytes that come; a client of these doors sends little.
const READ_BUFFER: usize = 1_024;
/// The bytes that are collected before they are written.
const WRITE_BUFFER: usize = 32 * 1_024;

/// The bounds of one client's WebSocket.
#[derive(Debug, Clone, Copy)]
pub struct Bounds {
    /// Bytes of a message that the client sends.
    pub message: usize,
    /// Fragments in which such a message may come.
    pub fragments: usize,
    /// Pings and pongs that the client may send in a second.
    pub control_frames: u32,
    /// The time after which a client is given up that takes nothing of what is sent.
    pub stall: Duration,
}

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
        bounds: &Bounds,
        compression: Option<Arc<Compression>>,
    ) -> Self {
        let taken = Arc::new(AtomicU64::new(0));
        let watched = Watched::new(
            socket,
            early,
            Fragments::new(bounds.fragments),
            taken.clone(),
            compression
                .as_ref()
                .map(|compression| compression.inbound()),
        );
        let config = WebSocketConfig::default()
            .read_buffer_size(READ_BUFFER)
            .write_buffer_size(WRITE_BUFFER)
            .max_message_size(Some(bounds.message))
            .max_frame_size(Some(bounds.message));
        let stream = WebSocketStream::from_raw_socket(watched, Role::Server, Some(config)).await;
        Self {
            stream,
            taken,
            stall: bounds.stall,
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
