//! The stream of a session that polls, before it is the session's: its upgrade.
//!
//! Much can go wrong between the answer 101 and the client's packet `5`: a proxy cuts or swallows frames, a phone changes
//! networks. The engine takes the session for upgrading from the 101 on, and never takes that back; so it learns of the
//! stream only when the client says that it goes on here. Until then polling is untouched, and the end of the stream is
//! nothing but that.

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
    stream::{ReadHalf, WriteHalf, Writer},
};

/// A stream whose client said that its session goes on there.
pub struct Probed {
    /// Bytes that the client sent ahead of the answer to its handshake, as far as they were not needed.
    pub(super) early: Bytes,
    /// The client's side of the stream.
    pub(super) read: ReadHalf,
    /// The server's side.
    pub(super) write: WriteHalf,
    /// Holds what came behind the packet `5`.
    pub(super) incoming: Incoming,
}

impl fmt::Debug for Probed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Probed")
    }
}

/// Counts an upgrade that is under way.
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

/// Waits until the client says that its session goes on with this stream; `None` when it doesn't, in this time.
pub async fn probe(
    socket: Socket,
    mut early: Bytes,
    lane: &Arc<ExpressLane>,
    within: Duration,
) -> Option<Probed> {
    let (mut read, mut write) = socket.split();
    let mut incoming = Incoming::new(lane.incoming());
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
    })
}

/// Reads up to a packet; `None` when there comes something else, or the end.
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
            // A ping of the WebSocket's own would be answered by whoever has the stream later.
            Some(Message::Control(..)) => {}
            None => {
                buffer.clear();
                if early.has_remaining() {
                    let n = early.len().min(READ_BYTES);
                    buffer.extend_from_slice(&early.split_to(n));
                } else if read.read_buf(&mut buffer).await.ok()? == 0 {
                    return None;
                }
                // Nothing but the two packets is kept for a stream that is no session's.
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
