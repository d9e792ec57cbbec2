//! The stream of an upgrade, before the session that polls moves to it.
//!
//! Much can go wrong between the answer 101 and the client's packet `5`: a proxy cuts or swallows frames, a phone
//! changes networks. The engine counts the session as upgrading from the 101 on, and never takes that back. So it
//! learns of the stream only when the client confirms the upgrade. Until then polling is untouched, and the session
//! survives the end of the stream.

use std::{fmt, future::poll_fn, io, sync::Arc, time::Duration};

use bytes::{Buf, Bytes, BytesMut};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::{
    incoming::Incoming,
    lane::ExpressLane,
    message::{CLOSE, Message},
};
use crate::net::{
    Socket,
    deflate::Compression,
    stream::{ReadHalf, WriteHalf, Writer},
};

/// A stream whose client has confirmed the upgrade.
pub struct Probed {
    /// Bytes that the client sent ahead of the answer to its handshake, and that were not needed.
    pub(super) early: Bytes,
    pub(super) read: ReadHalf,
    pub(super) write: WriteHalf,
    /// Holds the bytes that came after the packet `5`.
    pub(super) incoming: Incoming,
    /// The compression, if it was agreed on for this stream.
    pub(super) compression: Option<Arc<Compression>>,
}

impl fmt::Debug for Probed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Probed")
    }
}

/// Counts an upgrade in progress.
#[derive(Debug)]
struct Probing<'l>(&'l ExpressLane);

impl<'l> Probing<'l> {
    fn of(lane: &'l ExpressLane) -> Self {
        lane.probed(true);
        Self(lane)
    }
}

impl Drop for Probing<'_> {
    fn drop(&mut self) {
        self.0.probed(false);
    }
}

/// The answer to the probe, as a frame.
const PROBED: &[u8] = b"\x81\x063probe";
/// Bytes of one read: the two packets are nine.
const READ_BYTES: usize = 1_024;

/// Waits until the client confirms the upgrade to this stream; `None` when it doesn't in this time.
pub async fn probe(
    socket: Socket,
    mut early: Bytes,
    lane: &Arc<ExpressLane>,
    within: Duration,
    compression: Option<Arc<Compression>>,
) -> Option<Probed> {
    let (mut read, mut write) = socket.split();
    let mut incoming = Incoming::new(lane.incoming(), compression.as_deref());
    let upgraded = async {
        expect(&mut read, &mut early, &mut incoming, b"2probe").await?;
        answer(&mut write).await.ok()?;
        let _probing = Probing::of(lane);
        expect(&mut read, &mut early, &mut incoming, b"5").await
    };
    tokio::time::timeout(within, upgraded).await.ok()??;
    Some(Probed {
        early,
        read,
        write,
        incoming,
        compression,
    })
}

/// Reads up to a packet; `None` when another one comes, or the end.
async fn expect(
    read: &mut ReadHalf,
    early: &mut Bytes,
    incoming: &mut Incoming,
    packet: &[u8],
) -> Option<()> {
    let mut buffer = BytesMut::with_capacity(READ_BYTES);
    loop {
        match incoming.next_message() {
            Some(Message::Text(text)) => return (text == packet).then_some(()),
            Some(Message::Binary(_) | Message::Control(CLOSE, _)) => return None,
            // A WebSocket ping is answered by the stream's later owner.
            Some(Message::Control(..)) => {}
            None => {
                buffer.clear();
                if early.has_remaining() {
                    let n = early.len().min(READ_BYTES);
                    buffer.extend_from_slice(&early.split_to(n));
                } else if read.read_buf(&mut buffer).await.ok()? == 0 {
                    return None;
                }
                // Only the two packets are kept for a stream without a session.
                incoming.look(&buffer, || true).ok()?;
            }
        }
    }
}

async fn answer(write: &mut WriteHalf) -> io::Result<()> {
    match &mut write.io {
        Writer::Plain(half) => half.write_all(PROBED).await,
        Writer::Tls(shared) => {
            let mut rest = PROBED;
            while !rest.is_empty() {
                let pieces = [io::IoSlice::new(rest)];
                let written = poll_fn(|cx| shared.poll_write_vectored(cx, &pieces)).await?;
                if written == 0 {
                    return Err(io::ErrorKind::WriteZero.into());
                }
                rest = &rest[written..];
            }
            poll_fn(|cx| shared.poll_flush(cx)).await
        }
    }
}
